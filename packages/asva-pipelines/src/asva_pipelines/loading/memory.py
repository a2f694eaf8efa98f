"""Memory of a model: what its files and weights take, and what a run took at most."""

from __future__ import annotations

import gc
import json
import struct
import sys
from pathlib import Path
from typing import Any

import torch

__all__ = [
    "component_sizes",
    "measured_peak",
    "release_memory",
    "reset_peak",
    "stored_names",
    "weights_held",
]


def component_sizes(folder: Path) -> list[tuple[str, int, int]]:
    """Parts of a model folder: name, number of parameters, bytes on disk; read from the headers alone."""
    parts = []
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        headers = [_header(file) for file in sorted(part.glob("*.safetensors"))]
        count = sum(_numel(entry["shape"]) for header in headers for entry in header.values())
        size = sum(file.stat().st_size for file in part.glob("*.safetensors"))
        if count:
            parts.append((part.name, count, size))
    return parts


def stored_names(folder: Path) -> set[str]:
    """Names of the weights in the safetensors files of one part of a model."""
    return {name for file in folder.glob("*.safetensors") for name in _header(file)}


def _header(file: Path) -> dict[str, Any]:
    with open(file, "rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    return header


def _numel(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def weights_held(pipeline: Any, offload: str = "none") -> int:
    """Bytes of a pipeline's weights that are on the device at once; see :func:`asva_pipelines.load_pipeline`."""
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    sizes = [sum(value.numel() * value.element_size() for value in part.parameters()) for part in parts]
    largest = max(sizes, default=0)
    return {"auto": sum(sizes), "none": sum(sizes), "model": largest, "sequential": largest // 20}[offload]


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
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
