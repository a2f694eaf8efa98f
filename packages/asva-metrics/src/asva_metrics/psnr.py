"""Peak signal-to-noise ratio, of whole frames and of what moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from asva_metrics.arrays import to_numpy


def psnr(generated: Any, reference: Any, *, peak: float | None = None) -> np.ndarray | float:
    """PSNR of each clip, its squared error pooled over frames, pixels and channels.

    ``10 log10(peak^2 / mean((x - y)^2))``

    Args:
        generated: (..., t, h, w, c) video, array or tensor.
        reference: The same shape.
        peak: Largest possible value; None is 255 for uint8 and 1 for floats.

    Returns:
        (...) decibels, a float for a single clip; inf for equal clips.

    Raises:
        ValueError: If shapes or kinds of number differ.

    Example:
        >>> round(psnr(np.zeros((1, 2, 2, 3)), np.full((1, 2, 2, 3), 0.1)), 3)
        20.0
    """
    first, second, peak = _check(generated, reference, peak)
    return _decibels(((first - second) ** 2).mean(axis=(-4, -3, -2, -1)), peak)


def moving_psnr(generated: Any, reference: Any, mask: Any, *, peak: float | None = None) -> np.ndarray | float:
    """PSNR of each clip over the pixels where the true clip shows a moving object.

    A still background would hide what matters. The squared errors of all masked pixels of all frames are pooled, so a
    frame with a large object weighs more than one with a small one.

    Args:
        generated: (..., t, h, w, c) video, array or tensor.
        reference: True video of the same shape.
        mask: (..., t, h, w) true where a moving object is in the reference; several objects are united.
        peak: Largest possible value; None is 255 for uint8 and 1 for floats.

    Returns:
        (...) decibels, a float for a single clip; inf where equal, nan where the mask is empty.

    Raises:
        ValueError: If shapes or kinds of number differ.
    """
    first, second, peak = _check(generated, reference, peak)
    inside = to_numpy(mask, bool)
    if inside.shape != first.shape[:-1]:
        raise ValueError(f"`mask` must have shape {first.shape[:-1]}, got {inside.shape}.")
    error = ((first - second) ** 2).mean(axis=-1)
    count = inside.sum(axis=(-3, -2, -1))
    total = np.where(inside, error, 0.0).sum(axis=(-3, -2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return _decibels(total / count, peak)


def _decibels(error: np.ndarray, peak: float) -> np.ndarray | float:
    with np.errstate(divide="ignore"):
        value = 10 * np.log10(peak**2 / error)
    return float(value) if np.ndim(value) == 0 else value


def _check(generated: Any, reference: Any, peak: float | None) -> tuple[np.ndarray, np.ndarray, float]:
    first, second = to_numpy(generated, None), to_numpy(reference, None)
    if first.shape != second.shape or first.ndim < 4:
        raise ValueError(
            f"`generated` and `reference` must have one shape (..., t, h, w, c), got {first.shape} and {second.shape}."
        )
    if first.dtype.kind != second.dtype.kind:
        raise ValueError(f"`generated` must be numbers like `reference` ({second.dtype}), got {first.dtype}.")
    if peak is None:
        peak = 255.0 if first.dtype == np.uint8 else 1.0
    return first.astype(np.float64), second.astype(np.float64), peak
