"""OpenCLIP's text and image towers as transformers' classes, and the pictures that the image tower expects."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

OPENCLIP_TEXT_CONFIG: dict[str, Any] = {
    # ViT-H-14 of laion2b_s32b_b79k; KeyVID stops before the last of its 24 blocks, so only 23 are built.
    "vocab_size": 49408,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "max_position_embeddings": 77,
    "hidden_act": "gelu",
    "projection_dim": 1024,
    "pad_token_id": 0,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
}
OPENCLIP_VISION_CONFIG: dict[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "gelu",
    "projection_dim": 1024,
}


def clip_image_pixels(frames: Tensor, size: int | tuple[int, int] = 224) -> Tensor:
    """Pictures as OpenCLIP's image tower expects them, the way the original prepares them.

    The whole picture is squeezed to the size, without a crop: Gaussian blur if it shrinks, bicubic interpolation with
    aligned corners, then CLIP's mean and standard deviation.

    Args:
        frames: (b, 3, h, w) in [-1, 1].
        size: Height and width of the result.

    Returns:
        (b, 3, size, size) of the type of ``frames``, normalised.

    Raises:
        ValueError: If ``frames`` has another shape.
    """
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape:
        raise ValueError(f"`frames` must have shape (b, 3, h, w), got {tuple(frames.shape)}.")
    size = (size, size) if isinstance(size, int) else tuple(size)
    pixels = frames.float()
    shrink = [before / after for before, after in zip(pixels.shape[2:], size, strict=True)]
    if max(shrink) > 1:
        pixels = _blur(pixels, [max((factor - 1) / 2, 0.001) for factor in shrink])
    pixels = F.interpolate(pixels, size, mode="bicubic", align_corners=True)
    mean, std = (pixels.new_tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    return (((pixels + 1) / 2 - mean) / std).to(frames.dtype)


def _blur(pixels: Tensor, sigmas: list[float]) -> Tensor:
    """Gaussian blur along height and width, mirrored at the border where the picture is large enough for that."""
    for axis, sigma in zip((2, 3), sigmas, strict=True):
        taps = int(max(4 * sigma, 3)) | 1
        reach = taps // 2
        kernel = torch.exp(-torch.arange(-reach, reach + 1, device=pixels.device).float().square() / (2 * sigma**2))
        shape = [1, 1, 1, 1]
        shape[axis] = taps
        padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        mode = "reflect" if pixels.shape[axis] > reach else "replicate"
        padded = F.pad(pixels, padding, mode=mode)
        weight = (kernel / kernel.sum()).reshape(shape).expand(3, 1, *shape[2:])
        pixels = F.conv2d(padded, weight, groups=3)
    return pixels
