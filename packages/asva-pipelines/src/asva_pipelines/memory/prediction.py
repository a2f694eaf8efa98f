"""The peak of a run, before it starts: weights, tensors alive at once, frames on their way into the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from asva_pipelines.loading.folders import damage_named, stored_parts
from asva_pipelines.memory.rehearsal import rehearse
from asva_pipelines.memory.skeleton import skeleton

_PRECISIONS = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}  # as safetensors calls them
# Bytes that the first call brings into a process that holds the libraries already: kernels, codecs, buffers.
_FIRST_CALL = 60_000_000
# Frames that x264 looks ahead and refers to, each with its reduced copies: 1.5 bytes a pixel, twice.
_ENCODER_FRAMES = 60
_ENCODER_BYTES = 3


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Bytes that a run needs at most.

    Attributes:
        runtime: Of Python and its libraries; 0 on a GPU, whose driver's own share is not counted.
        weights: On the device at once.
        tensors: Alive at once beside the weights, with the workspaces of kernels.
        frames: Waiting for the encoder.
        loading: At most while the weights are read.
    """

    runtime: int
    weights: int
    tensors: int
    frames: int
    loading: int

    @property
    def peak(self) -> int:
        """All of it."""
        return self.runtime + max(self.loading, self.weights + self.tensors + self.frames)


def predict(
    folder: Path | None,
    method: str | None = None,
    *,
    height: int,
    width: int,
    num_frames: int | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    offload: str = "none",
    storage: str = "own",
    tiling: bool = False,
    hears: bool = True,
    arguments: dict[str, Any] | None = None,
) -> Prediction:
    """What sampling with a model will need at most; nothing is loaded and nothing computed.

    Args:
        folder: Of the model; None is a method without one.
        method: A name of :data:`asva_pipelines.METHODS`; None is the model's own.
        height: Of the video, in pixels.
        width: Of the video, in pixels.
        num_frames: Of the video, which only matters where a pipeline makes any number of them.
        device: Type of the device: ``cpu``, ``cuda``, ``mps``...
        dtype: Of the networks.
        offload: See :func:`asva_pipelines.load_pipeline`.
        storage: See :func:`asva_pipelines.load_pipeline`.
        tiling: Whether the autoencoder works tile by tile.
        hears: Whether there is a sound.
        arguments: Further ones of the pipeline's call, such as `decode_chunk_size` or `batched_guidance`.

    Raises:
        ModelError: If the folder is damaged or of another method.
    """
    weights, tensors, loading = 0, 0, 0
    if folder is not None:
        stamp = (folder / "model_index.json").stat().st_mtime_ns
        told = tuple(sorted((arguments or {}).items()))
        size = (height, width, num_frames)
        way = {"storage": storage, "tiling": tiling, "hears": hears}
        seen = _rehearsed(folder, stamp, method, size, device, dtype, **way, told=told)
        weights, tensors = seen.at_once(offload)
        loading = _loading(folder, seen.sizes, dtype)
    on_cpu = device == "cpu"
    return Prediction(
        runtime=_process() + _FIRST_CALL if on_cpu else 0,
        weights=weights,
        tensors=tensors,
        frames=_ENCODER_FRAMES * _ENCODER_BYTES * height * width if on_cpu else 0,
        loading=loading if on_cpu else 0,
    )


@cache
def _process() -> int:
    """Bytes of this process when it is first asked, when no weights are loaded yet."""
    return psutil.Process().memory_info().rss


@dataclass(frozen=True)
class _Seen:
    """What a rehearsal showed: bytes of the parts, of the largest layer, alive at most during each part."""

    sizes: dict[str, int]
    layer: int
    peaks: dict[str, int]

    def at_once(self, offload: str) -> tuple[int, int]:
        """Weights and other tensors at the moment when they are most together."""
        if offload == "model":
            return max(((self.sizes.get(part, 0), peak) for part, peak in self.peaks.items()), key=sum)
        return self.layer if offload in ("sequential", "group") else sum(self.sizes.values()), max(self.peaks.values())


@lru_cache(maxsize=64)
def _rehearsed(
    folder: Path,
    stamp: int,
    method: str | None,
    size: tuple[int, int, int | None],
    device: str,
    dtype: torch.dtype,
    *,
    storage: str,
    tiling: bool,
    hears: bool,
    told: tuple[tuple[str, Any], ...],
) -> _Seen:
    """A rehearsal takes seconds; the next video of the same kind needs none."""
    del stamp  # a folder that was written anew is another one
    pipeline = skeleton(folder, method, dtype=dtype)
    if storage == "float8":
        pipeline.enable_layerwise_casting()
    if tiling:
        pipeline.vae.enable_tiling()
    height, width, num_frames = size
    ledger = rehearse(
        pipeline,
        height=height,
        width=width,
        num_frames=num_frames,
        device=device,
        hears=hears,
        arguments=dict(told),
    )
    layers = (
        sum(value.numel() * value.element_size() for value in module.parameters(recurse=False))
        for _, part in networks(pipeline)
        for module in part.modules()
    )
    sizes = {name: bytes_of(part) for name, part in networks(pipeline)}
    further = getattr(pipeline, "further_weights", lambda folder: {})
    for name, count in further(folder).items():
        sizes[name] += count * dtype.itemsize
    return _Seen(sizes=sizes, layer=max(layers, default=0), peaks=dict(ledger.peaks))


def networks(pipeline: Any) -> Iterator[tuple[str, nn.Module]]:
    """The parts of a pipeline that have weights."""
    return ((name, part) for name, part in pipeline.components.items() if isinstance(part, nn.Module))


def bytes_of(network: nn.Module) -> int:
    """Bytes of weights and buffers."""
    held = {id(value): value for value in (*network.parameters(), *network.buffers())}
    return sum(value.numel() * value.element_size() for value in held.values())


def _loading(folder: Path, sizes: dict[str, int], dtype: torch.dtype) -> int:
    """Parts are read one by one; beside a part, its file is in memory until the part is whole.

    A file in the wanted precision is the part: its pages are what the weights lie in.
    """
    with damage_named(folder):
        other = {part.name: part.bytes for part in stored_parts(folder) if part.precisions != [_PRECISIONS.get(dtype)]}
    held, most = 0, 0
    for name, size in sizes.items():
        held += size
        most = max(most, held + other.get(name, 0))
    return most
