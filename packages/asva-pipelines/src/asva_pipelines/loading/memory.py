"""Memory: what is free, what weights take, and what a run took at most."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import psutil
import torch

from asva_weights import ModelError


def weights_held(pipeline: Any, offload: str = "none") -> int:
    """Bytes of a pipeline's weights that are on the device at once; see :func:`asva_pipelines.load_pipeline`."""
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    sizes = [sum(value.numel() * value.element_size() for value in part.parameters()) for part in parts]
    largest = max(sizes, default=0)
    layers = dict.fromkeys(("sequential", "group"), largest // 20)
    return ({"auto": sum(sizes), "none": sum(sizes), "model": largest} | layers)[offload]


def free_memory(device: str | torch.device = "cpu") -> int:
    """Bytes that a run may take, what this process holds already included; ``ASVA_MEMORY`` overrules it, in GB."""
    device, said = torch.device(device), os.environ.get("ASVA_MEMORY")
    if said:
        return _as_bytes(said)
    if device.type == "cpu":
        return psutil.virtual_memory().available + psutil.Process().memory_info().rss
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return torch.accelerator.get_memory_info(device)[0] + torch.accelerator.memory_reserved(device)


def _as_bytes(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ModelError(f"`ASVA_MEMORY` must be a positive number of gigabytes, got '{text}'.")
    return round(value * 1e9)


def release_memory() -> None:
    """Give back what a pipeline held that is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def reset_peak() -> None:
    """Start measuring anew where the device can (CUDA); on the CPU the peak is that of the whole process."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def measured_peak(device: str | torch.device = "cpu") -> int:
    """Bytes held at most: by tensors on a CUDA device, by the whole process (resident) otherwise."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
