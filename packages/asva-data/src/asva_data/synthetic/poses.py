"""Poses of moving parts: one number per frame turned into an affine map inside the object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .shapes import Point

Affine = NDArray[np.float64]  # (t, 2, 3)


def turn(angle: NDArray[np.float64], pivot: Point) -> Affine:
    """Rotate by `angle` (t,) radians around `pivot`; positive is clockwise on the screen."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = pivot
    rows = [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]]
    return np.moveaxis(np.array(rows), -1, 0)


def stretch(width: NDArray[np.float64], height: NDArray[np.float64], anchor: Point) -> Affine:
    """Scale by `width` and `height` (t,) around a point that stays where it is."""
    zero = np.zeros_like(width)
    rows = [[width, zero, anchor[0] * (1 - width)], [zero, height, anchor[1] * (1 - height)]]
    return np.moveaxis(np.array(rows), -1, 0)


def shift(affine: Affine, x: NDArray[np.float64] | float, y: NDArray[np.float64] | float) -> Affine:
    """Move the result of an affine map."""
    moved = affine.copy()
    moved[:, 0, 2] += x
    moved[:, 1, 2] += y
    return moved


def chain(outer: Affine, inner: Affine) -> Affine:
    """The map that applies `inner`, then `outer`."""
    linear = outer[..., :2] @ inner[..., :2]
    offset = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, offset], axis=-1)


def inverse(affine: Affine) -> Affine:
    """The map back."""
    a, b, c, d = affine[:, 0, 0], affine[:, 0, 1], affine[:, 1, 0], affine[:, 1, 1]
    det = a * d - b * c
    linear = np.stack([np.stack([d, -b], -1), np.stack([-c, a], -1)], -2) / det[:, None, None]
    return np.concatenate([linear, -linear @ affine[..., 2:]], axis=-1)
