"""Drawing: shapes of many frames at once onto one still background, with mask and motion of the moving parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .poses import Affine, inverse
from .shapes import INK, Shape

Floats = NDArray[np.float32]
Window = tuple[int, int, int, int]  # left, top, right, bottom in pixels


def outline_width(height: int, radius: float) -> float:
    """Width of the outlines in pixels, for an object of half size `radius` in a picture of `height` pixels."""
    return height / 62.0 * (0.45 + 0.55 * min(radius / (0.4 * height), 1.0))


def pixel_box(shape: Shape, affine: Affine, size: tuple[int, int], pad: float) -> Window:
    """The pixels that `shape` can touch in any of the poses `affine` (t, 2, 3)."""
    left, top, right, bottom = shape.box
    corners = np.array([[left, right, left, right], [top, top, bottom, bottom], [1.0, 1.0, 1.0, 1.0]])
    placed = affine @ corners
    low = np.floor(placed.min(axis=(0, 2)) - pad).astype(int)
    high = np.ceil(placed.max(axis=(0, 2)) + pad).astype(int)
    height, width = size
    return max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)


def join(boxes: list[Window]) -> Window:
    """The smallest window around several (empty ones do not count)."""
    filled = [box for box in boxes if box[2] > box[0] and box[3] > box[1]] or [(0, 0, 0, 0)]
    lefts, tops, rights, bottoms = zip(*filled, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def draw(
    canvas: Floats, origin: tuple[int, int], shape: Shape, affine: Affine, width: float
) -> NDArray[np.bool_] | None:
    """Draw one shape in every frame of `canvas` (3, t, h, w), whose corner lies at pixel `origin` (x, y).

    Returns:
        (t, h, w) what it covers, or None if nothing of it is in sight.
    """
    _, num_frames, height, canvas_width = canvas.shape
    placed = affine.copy()
    placed[:, :, 2] -= origin
    left, top, right, bottom = pixel_box(shape, placed, (height, canvas_width), width + 1.0)
    if right <= left or bottom <= top:
        return None
    distance = _distance(shape, placed, (left, top, right, bottom))
    inner = np.clip(0.5 - distance, 0.0, 1.0)
    area = canvas[:, :, top:bottom, left:right]
    outer = np.clip(0.5 + width - distance, 0.0, 1.0) if shape.outlined else inner
    rim, keep = outer - inner, 1.0 - outer
    for channel in range(3):
        area[channel] *= keep
        area[channel] += np.float32(shape.color[channel]) * inner
        if shape.outlined:
            area[channel] += np.float32(INK[channel]) * rim
    covered = np.zeros((num_frames, height, canvas_width), dtype=bool)
    covered[:, top:bottom, left:right] = outer > 0.5
    return covered


def _distance(shape: Shape, placed: Affine, window: Window) -> Floats:
    """Signed distance in pixels at every pixel centre of the window, (t, h, w)."""
    left, top, right, bottom = window
    x = (np.arange(left, right) + 0.5).astype(np.float32)[None, None, :]
    y = (np.arange(top, bottom) + 0.5).astype(np.float32)[None, :, None]
    back = inverse(placed).astype(np.float32)[:, :, :, None, None]
    local_x = back[:, 0, 0] * x + (back[:, 0, 1] * y + back[:, 0, 2])
    local_y = back[:, 1, 0] * x + (back[:, 1, 1] * y + back[:, 1, 2])
    linear = placed[:, :, :2]
    scale = np.sqrt(np.abs(linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]))
    return shape.distance(local_x, local_y) * scale.astype(np.float32)[:, None, None]


def affine_motion(affine: Affine, covered: NDArray[np.bool_], origin: tuple[int, int]) -> NDArray[np.float64]:
    """Sum over the covered pixels of |u| + |v| from each frame to the next, (t - 1,) pixels.

    `affine` (t, 2, 3) places the part in the picture, `covered` (t, h, w) is where it is seen.
    """
    back = inverse(affine[:-1])
    linear = affine[1:, :, :2] @ back[:, :, :2]
    offset = affine[1:, :, :2] @ back[:, :, 2:] + affine[1:, :, 2:]
    flow = np.concatenate([linear - np.eye(2), offset], axis=-1)
    moving = np.flatnonzero(np.abs(flow).max(axis=(1, 2)) > 1e-9)
    score = np.zeros(len(flow))
    if len(moving) == 0 or covered.size == 0:
        return score
    x = (np.arange(covered.shape[2]) + origin[0] + 0.5).astype(np.float32)[None, None, :]
    y = (np.arange(covered.shape[1]) + origin[1] + 0.5).astype(np.float32)[None, :, None]
    rows = flow[moving].astype(np.float32)[:, :, :, None, None]
    total = np.abs(rows[:, 0, 0] * x + (rows[:, 0, 1] * y + rows[:, 0, 2]))
    total += np.abs(rows[:, 1, 0] * x + (rows[:, 1, 1] * y + rows[:, 1, 2]))
    score[moving] = (total * covered[moving]).sum(axis=(1, 2))
    return score
