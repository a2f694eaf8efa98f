"""Flat shapes as signed distance functions in the units of the object they belong to (y points down)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Color = tuple[float, float, float]
Point = tuple[float, float]

INK: Color = (38.0, 34.0, 44.0)


@dataclass(frozen=True)
class Shape:
    """One filled area: `distance(x, y)` is negative inside; `box` is (left, top, right, bottom)."""

    distance: Callable[[Array, Array], Array]
    box: tuple[float, float, float, float]
    color: Color
    outlined: bool = True

    def plain(self) -> Shape:
        """The same shape without its outline."""
        return replace(self, outlined=False)


def circle(x: float, y: float, radius: float, color: Color) -> Shape:
    """A disc around (x, y)."""

    def distance(px: Array, py: Array) -> Array:
        return np.sqrt((px - x) ** 2 + (py - y) ** 2) - radius

    return Shape(distance, (x - radius, y - radius, x + radius, y + radius), color)


def ellipse(x: float, y: float, rx: float, ry: float, color: Color, angle: float = 0.0) -> Shape:
    """An ellipse turned by `angle` radians; the distance is first order, exact at the edge."""
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))

    def distance(px: Array, py: Array) -> Array:
        dx, dy = px - x, py - y
        if angle:
            dx, dy = cos * dx + sin * dy, cos * dy - sin * dx
        dx, dy = dx / rx, dy / ry
        length = np.sqrt(dx * dx + dy * dy)
        slope = np.sqrt((dx / rx) ** 2 + (dy / ry) ** 2) + 1e-4
        return length * (length - 1.0) / slope

    half_x, half_y = np.hypot(rx * cos, ry * sin), np.hypot(rx * sin, ry * cos)
    return Shape(distance, (x - half_x, y - half_y, x + half_x, y + half_y), color)


def capsule(start: Point, end: Point, radius: float, color: Color) -> Shape:
    """A thick line with round ends."""
    (ax, ay), (bx, by) = start, end
    ux, uy = bx - ax, by - ay
    norm = max(ux * ux + uy * uy, 1e-9)

    def distance(px: Array, py: Array) -> Array:
        dx, dy = px - ax, py - ay
        along = np.clip((dx * (ux / norm) + dy * (uy / norm)), 0.0, 1.0)
        dx -= along * ux
        dy -= along * uy
        return np.sqrt(dx * dx + dy * dy) - radius

    box = (min(ax, bx) - radius, min(ay, by) - radius, max(ax, bx) + radius, max(ay, by) + radius)
    return Shape(distance, box, color)


def block(left: float, top: float, right: float, bottom: float, color: Color, round_: float = 0.03) -> Shape:
    """An upright rectangle with rounded corners."""
    x, y = (left + right) / 2, (top + bottom) / 2
    half_x, half_y = (right - left) / 2 - round_, (bottom - top) / 2 - round_

    def distance(px: Array, py: Array) -> Array:
        dx, dy = np.abs(px - x) - half_x, np.abs(py - y) - half_y
        outside = np.sqrt(np.maximum(dx, 0.0) ** 2 + np.maximum(dy, 0.0) ** 2)
        return outside + np.minimum(np.maximum(dx, dy), 0.0) - round_

    return Shape(distance, (left, top, right, bottom), color)


def polygon(points: Sequence[Point], color: Color) -> Shape:
    """A convex polygon, corners in either direction."""
    corners = np.asarray(points, dtype=np.float64)
    edges = np.roll(corners, -1, axis=0) - corners
    area = np.sum(corners[:, 0] * np.roll(corners[:, 1], -1) - np.roll(corners[:, 0], -1) * corners[:, 1])
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) * np.sign(area)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    planes = [(float(n[0]), float(n[1]), float(n @ p)) for n, p in zip(normals, corners, strict=True)]

    def distance(px: Array, py: Array) -> Array:
        nearest = planes[0][0] * px + planes[0][1] * py - planes[0][2]
        for nx, ny, offset in planes[1:]:
            np.maximum(nearest, nx * px + ny * py - offset, out=nearest)
        return nearest

    low, high = corners.min(axis=0), corners.max(axis=0)
    return Shape(distance, (low[0], low[1], high[0], high[1]), color)


def union(shapes: Sequence[Shape], color: Color | None = None) -> Shape:
    """Several shapes under one outline and one colour (the first one's unless given)."""

    def distance(px: Array, py: Array) -> Array:
        nearest = shapes[0].distance(px, py)
        for shape in shapes[1:]:
            np.minimum(nearest, shape.distance(px, py), out=nearest)
        return nearest

    boxes = np.array([shape.box for shape in shapes])
    box = (boxes[:, 0].min(), boxes[:, 1].min(), boxes[:, 2].max(), boxes[:, 3].max())
    return Shape(distance, box, color or shapes[0].color)


def clipped(shape: Shape, window: Shape) -> Shape:
    """The part of `shape` inside `window`, without an outline."""

    def distance(px: Array, py: Array) -> Array:
        return np.maximum(shape.distance(px, py), window.distance(px, py))

    a, b = shape.box, window.box
    box = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    return Shape(distance, box, shape.color, outlined=False)
