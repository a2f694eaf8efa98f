"""What makes a run fit: what waits in the main memory, how the autoencoder works, which precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.loading.folders import read_index
from asva_pipelines.loading.memory import free_memory
from asva_pipelines.loading.placement import choose_device, choose_dtype
from asva_pipelines.memory.prediction import Prediction, predict
from asva_weights import ModelError

_CHUNKS = (8, 1)  # frames decoded at once
_SMALLEST = 64  # pixels
_OF_VIDEOS = ("AutoencoderKLCogVideoX", "AutoencoderKLLTX2Video")
_MULTIPLE = 64  # of pixels, which every network takes


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How a run is done, and what it then needs.

    Attributes:
        device: It runs on.
        dtype: Of the networks, by name.
        offload: See :func:`asva_pipelines.load_pipeline`.
        decode_chunk_size: Frames that the autoencoder decodes at once.
        tiling: Whether the autoencoder works tile by tile, which changes pixels a little.
        prediction: What it needs.
        free: Bytes that are free.
    """

    device: torch.device
    dtype: str
    offload: str
    decode_chunk_size: int
    tiling: bool
    prediction: Prediction
    free: int

    @property
    def fits(self) -> bool:
        """Whether what it needs is free."""
        return self.prediction.peak <= self.free

    def __str__(self) -> str:
        parts = [f"{self.dtype} on {self.device.type}"]
        parts += [] if self.offload == "none" else [f"offload {self.offload}"]
        parts += [f"{self.decode_chunk_size} frame decoded at once"] if self.decode_chunk_size == 1 else []
        parts += ["autoencoder in tiles"] if self.tiling else []
        return ", ".join(parts)


def choose(
    folder: Path,
    method: str | None = None,
    *,
    height: int,
    width: int,
    num_frames: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    offload: str = "auto",
    free: int | None = None,
    **run: Any,
) -> Choice:
    """The first way to run that fits, the fastest first; what is not ``auto`` stays as it is.

    Args:
        folder: Of the model.
        method: See :func:`predict`.
        height: Of the video, in pixels.
        width: Of the video, in pixels.
        num_frames: See :func:`predict`.
        device: See :func:`asva_pipelines.load_pipeline`.
        dtype: See :func:`asva_pipelines.load_pipeline`; ``auto`` may go down to bfloat16.
        offload: See :func:`asva_pipelines.load_pipeline`, or ``auto``.
        free: Bytes; see :func:`free_memory` without it.
        run: See :func:`predict`.

    Raises:
        ModelError: If nothing fits; it names a setting that would.
    """
    chosen = choose_device(device)
    free = free_memory(chosen) if free is None else free
    size = {"height": height, "width": width, "num_frames": num_frames}
    first = None
    for choice in _ways(folder, method, chosen, dtype, offload, free, **size, **run):
        first = first or choice
        if choice.fits:
            return choice
    raise ModelError(_refusal(first, folder, method, chosen, dtype, offload, **size, **run))


def _ways(
    folder: Path, method: str | None, device: torch.device, dtype: str, offload: str, free: int, **run: Any
) -> Iterator[Choice]:
    """Ways to run, the fastest first; each is only worked out when the one before does not fit."""
    precisions = [str(choose_dtype(dtype, device)).removeprefix("torch.")]
    if dtype == "auto" and precisions == ["float32"]:
        precisions.append("bfloat16")
    offloads = [offload] if offload != "auto" else ["none"] if device.type == "cpu" else ["none", "model", "sequential"]
    sparing = _sparing(folder)
    for precision in precisions:
        for chunk, tiling in sparing:
            for way in offloads:
                arguments = (run.get("arguments") or {}) | ({"decode_chunk_size": chunk} if chunk != _CHUNKS[0] else {})
                needs = predict(
                    folder,
                    method,
                    device=device.type,
                    dtype=choose_dtype(precision, device),
                    offload=way,
                    tiling=tiling,
                    **{**run, "arguments": arguments},
                )
                yield Choice(
                    device=device,
                    dtype=precision,
                    offload=way,
                    decode_chunk_size=chunk,
                    tiling=tiling,
                    prediction=needs,
                    free=free,
                )


def _sparing(folder: Path) -> list[tuple[int, bool]]:
    """Ways of the autoencoder: frames at once, and whether in tiles; not every one can."""
    kind = (read_index(folder).get("vae") or [None, None])[1]
    if kind == "AutoencoderKL":
        return [(_CHUNKS[0], False), (_CHUNKS[1], False), (_CHUNKS[1], True)]
    return [(_CHUNKS[0], tiling) for tiling in ((False, True) if kind in _OF_VIDEOS else (False,))]


def _refusal(first: Choice, folder: Path, method: str | None, device: torch.device, *asked: str, **run: Any) -> str:
    """What is needed, what is free, and what would fit."""
    height, width = run["height"], run["width"]
    told = (
        f"`--size {height}x{width}` needs about {_gigabytes_of(first)} and {first.free / 1e9:.1f} GB are free on "
        f"{device.type}"
    )
    for way in _ways(folder, method, device, "auto", "auto", first.free, **run):
        if way.fits:
            return (
                f"{told}: pass `--dtype {way.dtype} --offload {way.offload}`, which needs about {_gigabytes_of(way)}."
            )
    while min(height, width) // 2 >= _SMALLEST:
        height, width = (side // 2 // _MULTIPLE * _MULTIPLE for side in (height, width))
        way = next(_ways(folder, method, device, *asked, first.free, **run | {"height": height, "width": width}))
        if way.fits:
            return f"{told}: pass `--size {height}x{width}`, which needs about {_gigabytes_of(way)}."
    return f"{told}: take a smaller model, or a machine with more (set ASVA_MEMORY, in GB, if the figure is wrong)."


def _gigabytes_of(way: Choice) -> str:
    return f"{way.prediction.peak / 1e9:.1f} GB"
