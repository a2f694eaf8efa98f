"""A pipeline on a device: where it runs, in which precision, and what waits in the main memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.loading.citations import say_credit
from asva_pipelines.loading.folders import check_complete, damage_named, method_of_model
from asva_pipelines.loading.resolve import resolve_model
from asva_pipelines.methods import METHODS, Method
from asva_weights import ModelError

__all__ = ["choose_device", "choose_dtype", "load_localizer", "load_pipeline", "place"]

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_OFFLOADS = ("auto", "none", "model", "sequential")


def choose_device(device: str = "auto") -> torch.device:
    """The device of a name; ``auto`` takes a GPU if there is one.

    Raises:
        ModelError: If the device does not exist here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(f"Device '{device}' is not available here: pass `--device cpu`, or `auto`.") from error
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The precision of a name; ``auto`` is float32, and bfloat16 on GPUs that have it.

    Raises:
        ModelError: If the name is unknown.
    """
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if dtype not in _DTYPES:
        raise ModelError(f"`dtype` must be auto, {', '.join(_DTYPES)}, got '{dtype}'.")
    return _DTYPES[dtype]


def load_pipeline(
    model: str | os.PathLike[str] = "tiny",
    *,
    method: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    offload: str = "none",
    **resolve: Any,
) -> Any:
    """Load a model, ready to be called.

    Args:
        model: See :func:`asva_pipelines.resolve_model`; not looked at where the method needs none.
        method: A name of :data:`asva_pipelines.METHODS`; None is the model's own. ``static`` needs no model.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        dtype: ``auto``, ``float32``, ``float16`` or ``bfloat16``.
        offload: ``none``; ``model`` moves one network at a time to the GPU; ``sequential`` one layer at a time;
            ``auto`` takes the first of these with which the model's own size fits, see :func:`asva_pipelines.choose`.
        resolve: ``confirm`` and ``on_progress`` of :func:`asva_pipelines.resolve_model`.

    Returns:
        The pipeline, of the class that the model was saved as: :class:`asva_pipelines.KeyVIDPipeline` or another.

    Raises:
        ModelError: If the method is unknown, the model cannot be found or loaded, or is of another method; or if the
            device, precision or offload is not possible.
    """
    if method is not None and method not in METHODS:
        raise ModelError(f"`method` must be one of {', '.join(METHODS)}, got '{method}'.")
    chosen = choose_device(device)
    _check_offload(offload, chosen)
    precision = choose_dtype(dtype, chosen)
    if method is not None and not METHODS[method].needs_model:
        return METHODS[method].pipeline_class()
    folder = resolve_model(model, **resolve)
    if offload == "auto":
        offload = _choose_offload(folder, method, chosen, str(precision).removeprefix("torch."))
    pipeline = _read(folder, method_of_model(folder, method), precision)
    say_credit(folder)
    place(pipeline, chosen, offload)
    return pipeline


def _choose_offload(folder: Path, method: str | None, device: torch.device, dtype: str) -> str:
    """What the model's own size of video needs; on the CPU there is nothing to choose."""
    if device.type == "cpu":
        return "none"
    from asva_pipelines.loading.folders import model_settings
    from asva_pipelines.memory.choice import choose

    settings = model_settings(folder, method_of_model(folder, method))
    size = {"height": settings["height"], "width": settings["width"]}
    return choose(folder, method, **size, device=str(device), dtype=dtype).offload


def place(pipeline: Any, device: torch.device, offload: str = "none") -> None:
    """Move a pipeline of diffusers to a device, or let its parts wait in the main memory.

    Raises:
        ModelError: If the offload is not possible.
    """
    _check_offload(offload, device)
    if offload == "auto":
        offload = "none" if device.type == "cpu" or _fits(pipeline, device) else "model"
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)


def _fits(pipeline: Any, device: torch.device) -> bool:
    """Whether a foreign pipeline's weights leave a third of what is free to its tensors."""
    from asva_pipelines.loading.memory import weights_held
    from asva_pipelines.memory.choice import free_memory

    return weights_held(pipeline) * 1.5 <= free_memory(device)


def _check_offload(offload: str, device: torch.device) -> None:
    if offload not in _OFFLOADS:
        raise ModelError(f"`offload` must be {', '.join(_OFFLOADS)}, got '{offload}'.")
    if offload in ("model", "sequential") and device.type == "cpu":
        raise ModelError(f"`offload` must be none on the CPU, got '{offload}': there is no GPU to take weights from.")


def load_localizer(folder: Path) -> Any:
    """The localizer of a model folder alone, on the CPU.

    Raises:
        ModelError: If the folder has none, or it is damaged.
    """
    from asva_keyframe import MotionLocalizer

    part = folder / "localizer"
    if not part.is_dir():
        raise ModelError(f"Model folder '{folder}' has no localizer: give the keyframes, or take another model.")
    with damage_named(folder):
        localizer = MotionLocalizer.from_pretrained(
            part, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        check_complete(part, localizer)
    return localizer.eval()


def _read(folder: Path, method: Method, dtype: torch.dtype) -> Any:
    maker = method.pipeline_class
    with damage_named(folder):
        # Only safetensors: a pickle could run code.
        pipeline = maker.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True)
        pipeline.set_progress_bar_config(disable=True)
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                check_complete(folder / name, part)
    return pipeline
