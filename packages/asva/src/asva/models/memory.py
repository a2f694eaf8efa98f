"""Peak memory of sampling: predicted from shapes before, measured after."""

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
    "predicted_peak",
    "release_memory",
    "reset_peak",
    "stored_names",
    "weights_held",
]

# Python with torch, diffusers, transformers and PyAV, without a model.
_LIBRARIES = 900_000_000
# Live values per (frame, row, column, channel of the first level), fitted on the bundled model at 64x64 and 256x256.
_UNET_LIVE = 22
_VAE_LIVE = 10
_DECODED_AT_ONCE = 8


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


def predicted_peak(
    pipeline: Any, *, height: int, width: int, num_frames: int | None = None, offload: str = "none"
) -> int:
    """Bytes that sampling will need at most.

    Weights, plus the activations of the hungriest network, plus on the CPU what this process holds already.

    Args:
        pipeline: A loaded pipeline.
        height: Of the video, in pixels.
        width: Of the video, in pixels.
        num_frames: Of the video; the model's own number without it.
        offload: See :func:`asva.models.load_pipeline`.
    """
    libraries = _LIBRARIES if pipeline._execution_device.type == "cpu" else 0
    frames = num_frames or pipeline.config.num_frames
    pixels = 3 * frames * height * width * 4 * 2
    alive = _activations(pipeline, frames, height, width) if hasattr(pipeline, "vae") else 0
    return weights_held(pipeline, offload) + alive + pixels + libraries


def weights_held(pipeline: Any, offload: str = "none") -> int:
    """Bytes of a pipeline's weights that are on the device at once; see :func:`asva.models.load_pipeline`."""
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    sizes = [sum(value.numel() * value.element_size() for value in part.parameters()) for part in parts]
    largest = max(sizes, default=0)
    return {"auto": sum(sizes), "none": sum(sizes), "model": largest, "sequential": largest // 20}[offload]


def _activations(pipeline: Any, frames: int, height: int, width: int) -> int:
    """Of the U-Net over all frames, or of the decoder over its chunk, in bytes; branches run one by one."""
    if hasattr(pipeline, "transformer"):
        return _of_transformer(pipeline, height, width)
    unet, vae = getattr(pipeline, "interp_unet", None) or pipeline.unet, pipeline.vae
    bytes_each = torch.finfo(unet.dtype).bits // 8
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    cells = frames * (height // factor) * (width // factor)
    in_unet = cells * unet.config.block_out_channels[0] * _UNET_LIVE * bytes_each
    in_vae = _DECODED_AT_ONCE * height * width * vae.config.block_out_channels[0] * _VAE_LIVE * bytes_each
    return max(in_unet, in_vae)


def _of_transformer(pipeline: Any, height: int, width: int) -> int:
    """Of a window of a video transformer, in bytes."""
    from asva_dit import predict_memory

    config = dict(pipeline.transformer.config)
    config = {name: value for name, value in config.items() if not name.startswith("_")}
    factor = 16 / (config["patch_size"] * _pixels_of_latent(pipeline.vae))  # that function counts latents of 8 pixels
    size = {"height": 16 * round(height * factor / 16), "width": 16 * round(width * factor / 16)}
    frames = {"num_frames": pipeline.config.num_frames, "dtype": pipeline.transformer.dtype}
    return round(predict_memory(config, **size, **frames).activations * 2**30)


def _pixels_of_latent(vae: Any) -> int:
    from asva.pipelines.mtv_latents import spatial_factor

    return spatial_factor(vae)


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
