"""A pipeline on a device: where it runs, in which precision, and what waits in the main memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from asva.models.catalog import ModelError
from asva.models.memory import stored_names
from asva.models.resolve import resolve_model

__all__ = ["choose_device", "choose_dtype", "load_localizer", "load_pipeline"]

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_OFFLOADS = ("none", "model", "sequential")


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
    device: str = "auto",
    dtype: str = "auto",
    offload: str = "none",
    **resolve: Any,
) -> Any:
    """Load a model, ready to be called.

    Args:
        model: See :func:`asva.models.resolve_model`.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        dtype: ``auto``, ``float32``, ``float16`` or ``bfloat16``.
        offload: ``none``; ``model`` moves one network at a time to the GPU; ``sequential`` one layer at a time.
        resolve: ``confirm`` and ``on_progress`` of :func:`asva.models.resolve_model`.

    Returns:
        The :class:`asva.pipelines.KeyVIDPipeline`.

    Raises:
        ModelError: If the model cannot be found or loaded, or the device, precision or offload is not possible.
    """
    chosen = choose_device(device)
    if offload not in _OFFLOADS:
        raise ModelError(f"`offload` must be {', '.join(_OFFLOADS)}, got '{offload}'.")
    if offload != "none" and chosen.type == "cpu":
        raise ModelError(f"`offload` must be none on the CPU, got '{offload}': there is no GPU to take weights from.")
    folder = resolve_model(model, **resolve)
    pipeline = _read(folder, choose_dtype(dtype, chosen))
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=chosen)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=chosen)
    else:
        pipeline.to(chosen)
    return pipeline


def load_localizer(folder: Path) -> Any:
    """The localizer of a model folder alone, on the CPU.

    Raises:
        ModelError: If the folder has none, or it is damaged.
    """
    from asva_keyframe import MotionLocalizer

    part = folder / "localizer"
    if not part.is_dir():
        raise ModelError(f"Model folder '{folder}' has no localizer: give the keyframes, or take another model.")
    with _damage_named(folder):
        localizer = MotionLocalizer.from_pretrained(
            part, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        _check_complete(part, localizer)
    return localizer.eval()


def _read(folder: Path, dtype: torch.dtype) -> Any:
    from asva.pipelines import KeyVIDPipeline

    with _damage_named(folder):
        # Only safetensors: a pickle could run code.
        pipeline = KeyVIDPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True)
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                _check_complete(folder / name, part)
    return pipeline


def _check_complete(folder: Path, network: torch.nn.Module) -> None:
    """The libraries fill a missing weight with random numbers and go on; here it is an error."""
    missing = network.state_dict().keys() - stored_names(folder)
    if missing:
        raise ValueError(f"{folder.name} lacks {len(missing)} weights, {', '.join(sorted(missing)[:3])}")


@contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    """One clear error for the many ways in which a folder of weights can be broken."""
    try:
        with _no_chatter():
            yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ModelError(
            f"Model folder '{folder}' is damaged or incomplete ({reason}): fetch or convert it again."
        ) from error


@contextmanager
def _no_chatter() -> Iterator[None]:
    """Progress bars and remarks of the libraries would stand between the lines of ours."""
    import diffusers.utils.logging as diffusers_log
    import transformers.utils.logging as transformers_log

    logs = (diffusers_log, transformers_log)
    levels = [log.get_verbosity() for log in logs]
    bars = [log.is_progress_bar_enabled() for log in logs]
    for log in logs:
        log.set_verbosity(logging.CRITICAL)
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level, bar in zip(logs, levels, bars, strict=True):
            log.set_verbosity(level)
            if bar:
                log.enable_progress_bar()
