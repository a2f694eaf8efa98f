"""Images as each published metric hands them to its network."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
ImageResize = Literal["avsync", "pytorch-fid"]
VideoResize = Literal["avsync", "common-metrics"]
FID_SIZES = get_args(ImageResize)


def fid_images(images: Tensor, *, resize: ImageResize = "pytorch-fid") -> Tensor:
    """Images for `FIDInception`.

    Args:
        images: (n, 3, h, w) uint8, or float in [0, 1].
        resize: "pytorch-fid" is 299 x 299, bilinear without smoothing. "avsync" is 229 x 229 (sic), bicubic with
            smoothing and without clamping, as the evaluation of AVSyncD; the two give different numbers.

    Returns:
        (n, 3, side, side) float32 about [-1, 1].

    Raises:
        ValueError: If the shape, the kind of number or the name of the resize is another.
    """
    if resize not in FID_SIZES:
        raise ValueError(f"`resize` must be one of {', '.join(FID_SIZES)}, got {resize!r}.")
    values = unit_range(images, "images", 4)
    if resize == "avsync":
        return 2 * smooth_resize(values, 229) - 1
    return 2 * F.interpolate(values, (299, 299), mode="bilinear", align_corners=False) - 1


def fvd_video(video: Tensor, *, resize: VideoResize = "avsync") -> Tensor:
    """Clips for `I3D`: 224 x 224 in [-1, 1].

    Args:
        video: (b, t, 3, h, w) uint8, or float in [0, 1].
        resize: "avsync" squeezes to the square, bicubic with smoothing; "common-metrics" brings the shorter side to
            224, bilinear, and crops the centre.

    Returns:
        (b, t, 3, 224, 224) float32 about [-1, 1].

    Raises:
        ValueError: If the shape, the kind of number or the name of the resize is another.
    """
    values = unit_range(video, "video", 5)
    frames = values.flatten(0, 1)
    if resize == "avsync":
        frames = smooth_resize(frames, 224)
    elif resize == "common-metrics":
        frames = _short_side(frames, 224)
    else:
        raise ValueError(f"`resize` must be avsync or common-metrics, got {resize!r}.")
    return 2 * frames.unflatten(0, values.shape[:2]) - 1


def clip_video(video: Tensor, *, size: int = 224, resize: Literal["squeeze", "crop"] = "squeeze") -> Tensor:
    """Frames for ImageBind, the AVSync classifier and CLIP: a square, with CLIP's mean and deviation.

    Args:
        video: (b, t, 3, h, w) uint8, or float in [0, 1].
        size: Side of the result.
        resize: "squeeze" as AVSyncD's evaluation does; "crop" brings the shorter side to ``size`` and takes the centre,
            as CLIP itself. Both bicubic with smoothing.

    Returns:
        (b, t, 3, size, size) float32, normalised.

    Raises:
        ValueError: If the shape, the kind of number or the name of the resize is another.
    """
    values = unit_range(video, "video", 5)
    frames = values.flatten(0, 1)
    if resize == "squeeze":
        frames = smooth_resize(frames, size)
    elif resize == "crop":
        frames = _short_side(frames, size, mode="bicubic", antialias=True)
    else:
        raise ValueError(f"`resize` must be squeeze or crop, got {resize!r}.")
    frames = frames.unflatten(0, values.shape[:2])
    mean, std = (torch.tensor(x, device=frames.device)[:, None, None] for x in (CLIP_MEAN, CLIP_STD))
    return (frames - mean) / std


def smooth_resize(images: Tensor, size: int) -> Tensor:
    """(n, 3, h, w) -> (n, 3, size, size), bicubic with smoothing."""
    return F.interpolate(images, (size, size), mode="bicubic", align_corners=False, antialias=True)


def unit_range(values: Tensor, name: str, ndim: int) -> Tensor:
    """Float32 in [0, 1] of uint8 pixels or of floats that are there already.

    Raises:
        ValueError: If the shape is another, or a value is NaN or far from [0, 1].
    """
    if values.ndim != ndim or values.shape[-3] != 3 or 0 in values.shape:
        letters = "(n, 3, h, w)" if ndim == 4 else "(b, t, 3, h, w)"
        raise ValueError(f"`{name}` must have shape {letters}, got {tuple(values.shape)}.")
    if values.dtype == torch.uint8:
        return values.float() / 255
    low, high = (float(x) for x in values.aminmax())
    if not values.is_floating_point() or not (low >= -0.01 and high <= 1.01):
        raise ValueError(f"`{name}` must be uint8 or float in [0, 1], got {values.dtype} in [{low:g}, {high:g}].")
    return values.float()


def _short_side(frames: Tensor, size: int, *, mode: str = "bilinear", antialias: bool = False) -> Tensor:
    h, w = frames.shape[-2:]
    scale = size / min(h, w)
    tall, wide = (size if side == min(h, w) else int(side * scale) for side in (h, w))
    sides = (max(tall, size), max(wide, size))
    frames = F.interpolate(frames, sides, mode=mode, align_corners=False, antialias=antialias)
    top, left = (frames.shape[-2] - size) // 2, (frames.shape[-1] - size) // 2
    return frames[..., top : top + size, left : left + size]
