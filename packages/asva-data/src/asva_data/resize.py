"""Bringing frames to a size: the framing of KeyVID's training and that of its inference."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from .clip import MediaError

Framing = Literal["inference", "training"]


def resize_crop(frames: np.ndarray, size: int | tuple[int, int], *, framing: Framing = "inference") -> np.ndarray:
    """Resize to `size` without distortion, antialiased (bicubic).

    ``"inference"`` takes the largest middle part with the aspect of `size` and resizes it: nothing is ever padded.
    ``"training"`` resizes until the short side is the shorter side of `size`, then takes the middle; a narrow picture
    gets black bars (both as KeyVID does). For a square `size` the two agree but for rounding.

    Args:
        frames: (..., h, w, 3) uint8 RGB.
        size: Height and width in pixels, or one number for a square.
        framing: How the aspect is met.

    Returns:
        (..., *size, 3) uint8.

    Raises:
        MediaError: If `frames`, `size` or `framing` is none of the above.
    """
    height, width = check_size(size)
    if framing not in ("inference", "training"):
        raise MediaError(f"`framing` must be 'inference' or 'training', got {framing!r}.")
    frames = np.asarray(frames)
    if frames.ndim < 3 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise MediaError(f"`frames` must be uint8 (..., h, w, 3) pictures, got {frames.dtype} {frames.shape}.")
    if frames.shape[-3:-1] == (height, width):
        return frames
    resize = _crop_then_resize if framing == "inference" else _resize_then_crop
    pictures = frames.reshape(-1, *frames.shape[-3:])
    out = np.stack([resize(Image.fromarray(picture), height, width) for picture in pictures])
    return out.reshape(*frames.shape[:-3], height, width, 3)


def check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a `size` argument."""
    pair = (size, size) if isinstance(size, int) else size
    whole = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(n, (int, np.integer)) for n in pair)
    if not whole or isinstance(size, bool) or min(pair) < 1 or max(pair) > 16384:
        raise MediaError(f"`size` must be one or two whole numbers of pixels (height, width), got {size!r}.")
    return int(pair[0]), int(pair[1])


def _crop_then_resize(picture: Image.Image, height: int, width: int) -> np.ndarray:
    scale = min(picture.height / height, picture.width / width)
    left = (picture.width - width * scale) / 2
    top = (picture.height - height * scale) / 2
    box = (
        max(left, 0.0),
        max(top, 0.0),
        min(left + width * scale, picture.width),
        min(top + height * scale, picture.height),
    )
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box=box))


def _resize_then_crop(picture: Image.Image, height: int, width: int) -> np.ndarray:
    short = min(height, width)
    scale = short / min(picture.width, picture.height)
    new_width, new_height = max(short, int(picture.width * scale)), max(short, int(picture.height * scale))
    resized = picture.resize((new_width, new_height), Image.Resampling.BICUBIC)
    left, top = round((new_width - width) / 2), round((new_height - height) / 2)
    return np.asarray(resized.crop((left, top, left + width, top + height)))
