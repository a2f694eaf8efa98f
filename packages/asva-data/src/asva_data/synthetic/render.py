"""A scene and the poses of its moving object turned into frames, mask and motion score."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .catalogue import OBJECT_CLASSES
from .poses import Affine, chain
from .puppet import Mover, Puppet
from .raster import Window, affine_motion, draw, join, outline_width, pixel_box
from .shapes import Shape, capsule, ellipse, union

SPARK_COLOR = (255.0, 214.0, 64.0)
Scene = dict[str, Any]


class Rendering(NamedTuple):
    """Frames (t, h, w, 3) uint8, mask (t, h, w) bool, motion score (t,) float32."""

    frames: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    motion_score: NDArray[np.float32]


def puppet_of(thing: dict[str, Any]) -> Puppet:
    """The drawable object of one entry of `scene["objects"]`."""
    colors = {name: tuple(float(c) for c in color) for name, color in thing["colors"].items()}
    return OBJECT_CLASSES[thing["class"]].build(colors)


def placement(thing: dict[str, Any], size: int) -> Affine:
    """Map from the units of the object to pixels, (1, 2, 3)."""
    radius = thing["size"] * size
    sign = -1.0 if thing["flip"] else 1.0
    x, y = thing["center"]
    return np.array([[[sign * radius, 0.0, x * size], [0.0, radius, y * size]]])


def draw_background(scene: Scene, size: int) -> NDArray[np.float32]:
    """Wall and floor, (3, 1, h, w)."""
    back = scene["background"]
    rows = np.clip(np.arange(size) + 1.0 - back["horizon"] * size, 0.0, 1.0).astype(np.float32)[:, None]
    wall, floor = (np.array(back[name], dtype=np.float32)[:, None, None] for name in ("wall", "floor"))
    canvas = wall + (floor - wall) * rows
    return np.broadcast_to(canvas[:, None], (3, 1, size, size)).copy()


def draw_still(canvas: NDArray[np.float32], scene: Scene, size: int, moving: int | None) -> None:
    """Add everything that stands still behind the moving object (`None`: all objects rest)."""
    for index, thing in enumerate(scene["objects"]):
        puppet, place = puppet_of(thing), placement(thing, size)
        width = outline_width(size, thing["size"] * size)
        if puppet.shadow is not None:
            floor = [c * 0.78 for c in scene["background"]["floor"]]
            x, half = puppet.shadow
            draw(canvas, (0, 0), ellipse(x, 0.99, half, 0.1, tuple(floor)).plain(), place, width)
        for shape in puppet.back:
            draw(canvas, (0, 0), shape, place, width)
        if index != moving:
            rest = np.zeros(1)
            for mover in puppet.movers:
                for shape in mover.shapes:
                    draw(canvas, (0, 0), shape, chain(place, mover.pose(rest)), width)
            for shape in puppet.front:
                draw(canvas, (0, 0), shape, place, width)


def spark_shape(place: tuple[float, float], direction: float) -> Shape:
    """Five short rays that leave a point, as one shape."""
    x, y = place
    rays = []
    for angle in direction + np.linspace(-1.35, 1.35, 5):
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        rays.append(capsule((x + 0.22 * cos, y + 0.22 * sin), (x + 0.42 * cos, y + 0.42 * sin), 0.045, SPARK_COLOR))
    return union(rays)


def render(
    scene: Scene,
    size: int,
    moving: int,
    poses: NDArray[np.float64],
    sparks: NDArray[np.bool_] | None = None,
) -> Rendering:
    """Draw a clip in which object `moving` takes `poses` (t, channels) and the others rest.

    Args:
        scene: What can be seen, as in `SyntheticClip.scene`.
        size: Height and width in pixels.
        moving: Index into `scene["objects"]`.
        poses: (t, channels) pose of each moving part; 0 is at rest.
        sparks: (t, channels) whether an impact spark is seen.
    """
    thing = scene["objects"][moving]
    puppet, place = puppet_of(thing), placement(thing, size)
    sparks = np.zeros(poses.shape, dtype=bool) if sparks is None else sparks
    rows = np.concatenate([np.round(poses, 4), sparks], axis=1)
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    affines = [chain(place, mover.pose(poses[first, mover.channel])) for mover in puppet.movers]

    background = draw_background(scene, size)
    draw_still(background, scene, size, moving)
    width = outline_width(size, thing["size"] * size)
    window = _window(puppet, affines, place, size)
    left, top, right, bottom = window
    canvas = np.repeat(background[:, :, top:bottom, left:right], len(first), axis=1)
    covers = _draw_movers(canvas, (left, top), puppet.movers, affines, width)
    _draw_front(canvas, (left, top), puppet, place, sparks[first], width, covers)

    frames = np.empty((len(poses), size, size, 3), dtype=np.uint8)
    frames[:] = _to_bytes(background)
    frames[:, top:bottom, left:right] = _to_bytes(canvas)[inverse]
    mask = np.zeros((len(poses), size, size), dtype=bool)
    motion = np.zeros(len(poses) - 1)
    for affine, cover in zip(affines, covers, strict=True):
        mask[:, top:bottom, left:right] |= cover[inverse]
        motion += affine_motion(affine[inverse], cover[inverse[:-1]], (left, top))
    score = np.append(motion, motion[-1:]) / size**2
    return Rendering(frames, mask, score.astype(np.float32))


def _window(puppet: Puppet, affines: list[Affine], place: Affine, size: int) -> Window:
    pad = outline_width(size, size) + 1.0
    boxes = [
        pixel_box(shape, affine, (size, size), pad)
        for mover, affine in zip(puppet.movers, affines, strict=True)
        for shape in mover.shapes
    ]
    marks = [spark_shape(*spark) for spark in puppet.sparks if spark is not None]
    return join(boxes + [pixel_box(mark, place, (size, size), pad) for mark in marks])


def _draw_movers(
    canvas: NDArray[np.float32], origin: tuple[int, int], movers: tuple[Mover, ...], affines: list[Affine], width: float
) -> list[NDArray[np.bool_]]:
    covers = []
    for mover, affine in zip(movers, affines, strict=True):
        cover = np.zeros(canvas.shape[1:], dtype=bool)
        for shape in mover.shapes:
            drawn = draw(canvas, origin, shape, affine, width)
            if drawn is not None:
                cover |= drawn
        covers.append(cover)
    return covers


def _draw_front(
    canvas: NDArray[np.float32],
    origin: tuple[int, int],
    puppet: Puppet,
    place: Affine,
    sparks: NDArray[np.bool_],
    width: float,
    covers: list[NDArray[np.bool_]],
) -> None:
    for shape in puppet.front:
        drawn = draw(canvas, origin, shape, np.repeat(place, canvas.shape[1], axis=0), width)
        for cover in covers if drawn is not None else []:
            cover &= ~drawn
    for channel, spark in enumerate(puppet.sparks):
        seen = np.flatnonzero(sparks[:, channel]) if spark is not None else []
        if len(seen):
            some = np.ascontiguousarray(canvas[:, seen])
            draw(some, origin, spark_shape(*spark), np.repeat(place, len(seen), axis=0), 0.7 * width)
            canvas[:, seen] = some


def _to_bytes(canvas: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(3, t, h, w) floats to (t, h, w, 3) bytes."""
    return np.ascontiguousarray(np.moveaxis((canvas + 0.5).astype(np.uint8), 0, -1))
