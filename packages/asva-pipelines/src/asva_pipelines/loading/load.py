"""A model folder as a pipeline that is ready to be called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.loading.citations import say_credit
from asva_pipelines.loading.folders import (
    check_complete,
    damage_named,
    method_of_model,
    model_settings,
    quiet_libraries,
    shared_parts,
)
from asva_pipelines.loading.placement import STORAGES, check_offload, choose_device, choose_dtype, in_dtype, place
from asva_pipelines.loading.resolve import cache_folder, resolve_model
from asva_pipelines.memory.choice import choose
from asva_pipelines.method import Method
from asva_pipelines.methods import METHODS
from asva_weights import ModelError


def load_pipeline(
    model: str | os.PathLike[str] = "tiny",
    *,
    method: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    offload: str = "none",
    lora: Sequence[tuple[str | os.PathLike[str], float]] = (),
    storage: str = "own",
    tiling: bool = False,
    compile: bool = False,
    **resolve: Any,
) -> Any:
    """Load a model, ready to be called.

    Args:
        model: See :func:`asva_pipelines.resolve_model`; not looked at where the method needs none.
        method: A name of :data:`asva_pipelines.METHODS`; None is the model's own. ``static`` needs no model.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        dtype: ``auto``, ``float32``, ``float16`` or ``bfloat16``.
        offload: ``none``; ``model`` moves one network at a time to the GPU; ``sequential`` one layer at a time;
            ``group`` too, the next one on its way meanwhile;
            ``auto`` takes the first of these with which the model's own size fits, see :func:`asva_pipelines.choose`.
        lora: LoRA layers and their scales: folders, files or hub ids, see :meth:`load_lora_weights` of the pipeline.
        storage: ``own``, or ``float8``: matrices of the denoising networks wait in eight bits and work in `dtype`.
        tiling: Whether the autoencoder works tile by tile.
        compile: Whether the denoising networks' blocks are compiled. What is compiled stays in ``compiled`` of the
            cache folder, so that the next process finds it.
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
    check_offload(offload, chosen)
    precision = choose_dtype(dtype, chosen)
    if method is not None and not METHODS[method].needs_model:
        return METHODS[method].pipeline_class()
    if storage not in STORAGES:
        raise ModelError(f"`storage` must be {' or '.join(STORAGES)}, got '{storage}'.")
    folder = resolve_model(model, **resolve)
    if offload == "auto":
        offload = _choose_offload(folder, method, chosen, str(precision).removeprefix("torch."), storage)
    if compile and (storage != "own" or offload in ("sequential", "group")):
        raise ModelError(
            "`compile` must be left out with float8 and with layers that wait elsewhere, which it cannot trace."
        )
    pipeline = _read(folder, method_of_model(folder, method), precision)
    say_credit(folder)
    _prepare(pipeline, lora, storage, tiling)
    place(pipeline, chosen, offload)
    if compile:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
        pipeline.compile_repeated_blocks()
    return pipeline


def _prepare(pipeline: Any, lora: Sequence[tuple[Any, float]], storage: str, tiling: bool) -> None:
    """What is done to the networks before they are moved."""
    for index, (source, _) in enumerate(lora):
        pipeline.load_lora_weights(source, adapter_name=f"lora_{index}")
    if lora:
        pipeline.set_adapters([f"lora_{index}" for index in range(len(lora))], [scale for _, scale in lora])
    if storage == "float8":
        pipeline.enable_layerwise_casting()
    if tiling:
        pipeline.enable_vae_tiling()


def _choose_offload(folder: Path, method: str | None, device: torch.device, dtype: str, storage: str) -> str:
    """What the model's own size of video needs; on the CPU there is nothing to choose."""
    if device.type == "cpu":
        return "none"
    settings = model_settings(folder, method_of_model(folder, method))
    size = {"height": settings["height"], "width": settings["width"]}
    return choose(folder, method, **size, device=str(device), dtype=dtype, storage=storage).offload


def load_localizer(folder: Path) -> Any:
    """The localizer of a model folder alone, on the CPU.

    Raises:
        ModelError: If the folder has none, or it is damaged.
    """
    from asva_keyframe.localizer_network import LocalizerNetwork

    part = shared_parts(folder).get("localizer", folder / "localizer")
    if not part.is_dir():
        raise ModelError(f"Model folder '{folder}' has no localizer: give the keyframes, or take another model.")
    with damage_named(folder):
        return LocalizerNetwork.from_folder(part)


def _read(folder: Path, method: Method, dtype: torch.dtype) -> Any:
    maker, shared = method.pipeline_class, shared_parts(folder)
    with damage_named(folder), quiet_libraries():
        # Only safetensors: a pickle could run code.
        pipeline = maker.from_pretrained(folder, **in_dtype(dtype), local_files_only=True, use_safetensors=True)
        pipeline.set_progress_bar_config(disable=True)
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                check_complete(shared.get(name, folder / name), part)
    return pipeline
