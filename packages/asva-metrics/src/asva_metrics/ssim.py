"""Structural similarity of two videos, frame by frame (Wang et al., 2004)."""

from __future__ import annotations

from typing import Any

import numpy as np

from asva_metrics.arrays import to_numpy

LUMA = (0.299, 0.587, 0.114)


def ssim(generated: Any, reference: Any) -> float:
    """Mean SSIM of the brightness of all frames, with a Gaussian window of 11 pixels.

    Args:
        generated: (t, h, w, 3) uint8 RGB, array or tensor, of 11 pixels a side or more.
        reference: The same shape.

    Returns:
        At most 1, for equal frames.

    Raises:
        ValueError: If the shapes differ or are others.

    Example:
        >>> frames = np.full((2, 16, 16, 3), 90, np.uint8)
        >>> round(ssim(frames, frames), 3)
        1.0
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    first, second = (to_numpy(x, None) for x in (generated, reference))
    if first.shape != second.shape or first.ndim != 4 or first.shape[-1] != 3 or min(first.shape[1:3]) < 11:
        raise ValueError(f"`generated` must be (t, h, w, 3) as `reference` {second.shape}, got {first.shape}.")
    # In float64: in float32 the variance of large even areas cancels, and equal frames come out below 1.
    ours, theirs = (torch.from_numpy(x @ np.array(LUMA))[:, None] for x in (first, second))
    mean: Any = structural_similarity_index_measure(ours, theirs, data_range=255.0)
    return float(mean)
