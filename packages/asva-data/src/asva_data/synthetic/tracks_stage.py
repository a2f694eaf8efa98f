"""The stage of the three-track world: a face, a drum with a mallet, a wall; drawn for given curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalogue import PALETTE
from .poses import chain, stretch, turn
from .raster import draw, outline_width
from .render import draw_background
from .scenery import SKINS
from .shapes import INK, block, capsule, circle, ellipse

Scene = dict[str, Any]
Floats = NDArray[np.float64]
LIPS, WHITE = (120.0, 24.0, 36.0), (250.0, 250.0, 250.0)
MOUTH = (0.0, 0.36)  # place in the units of the face


def draw_stage(rng: np.random.Generator) -> Scene:
    """Colours and places: a face on one side, a drum on the other. Holds nothing about the sound."""
    shirt, drum = rng.choice(list(PALETTE), 2, replace=False)
    pale = rng.uniform(0.78, 0.92)
    side = 1.0 if rng.random() < 0.5 else -1.0
    return {
        "shirt": str(shirt),
        "drum": str(drum),
        "skin": [int(c) for c in SKINS[rng.integers(3)]],
        "wall": [int(255 * pale * c) for c in (1.0, rng.uniform(0.97, 1.0), rng.uniform(0.95, 1.0))],
        "floor": [int(150 + rng.uniform(-15, 15))] * 3,
        "face": [round(0.5 - side * 0.23 + rng.uniform(-0.015, 0.015), 4), round(0.44 + rng.uniform(-0.02, 0.02), 4)],
        "stand": [round(0.5 + side * 0.24 + rng.uniform(-0.015, 0.015), 4), 0.7],
        "flip": side > 0,
    }


def render_stage(scene: Scene, size: int, opening: Floats, strike: Floats, light: Floats) -> NDArray[np.uint8]:
    """Draw the stage.

    Args:
        scene: Of `draw_stage`.
        size: Height and width in pixels.
        opening: (t,) of the mouth, 0 to 1.
        strike: (t,) pose of the mallet: 0 at rest, 1 at contact, negative when it is raised.
        light: (t, 3) gains of red, green and blue.

    Returns:
        (t, h, w, 3) uint8.
    """
    wall = {"wall": scene["wall"], "floor": scene["floor"], "horizon": 0.86}
    still = draw_background({"background": wall}, size)
    _draw_still(still, scene, size)
    canvas = np.repeat(still, len(opening), axis=1)
    _draw_mouth(canvas, scene, size, opening)
    _draw_mallet(canvas, scene, size, strike)
    canvas *= light.T[:, :, None, None].astype(np.float32)
    return np.ascontiguousarray(np.moveaxis((canvas + 0.5).clip(0, 255).astype(np.uint8), 0, -1))


def mouth_box(scene: Scene, size: int) -> tuple[slice, slice]:
    """Rows and columns in which the mouth is seen."""
    x, y, radius = scene["face"][0] * size, scene["face"][1] * size, 0.2 * size
    return _slice(y + (MOUTH[1] - 0.5) * radius, y + (MOUTH[1] + 0.5) * radius), _slice(
        x - 0.6 * radius, x + 0.6 * radius
    )


def mallet_box(scene: Scene, size: int) -> tuple[slice, slice]:
    """Rows and columns in which the mallet is seen."""
    x, y, radius = scene["stand"][0] * size, scene["stand"][1] * size, 0.2 * size
    low, high = _slice(x - 1.15 * radius, x + 1.15 * radius), _slice(y - 2.3 * radius, y + 0.1 * radius)
    return high, slice(low.start, min(low.stop, size))


def wall_box(size: int) -> tuple[slice, slice]:
    """Rows and columns of the wall alone, above everything."""
    return slice(0, max(size // 16, 2)), slice(0, size)


def _slice(start: float, stop: float) -> slice:
    return slice(max(int(start), 0), int(np.ceil(stop)))


def _place(center: list[float], size: int, flip: bool = False) -> NDArray[np.float64]:
    radius = 0.2 * size
    return np.array([[[-radius if flip else radius, 0.0, center[0] * size], [0.0, radius, center[1] * size]]])


def _draw_still(canvas: NDArray[np.float32], scene: Scene, size: int) -> None:
    width = outline_width(size, 0.2 * size)
    face, stand = _place(scene["face"], size), _place(scene["stand"], size)
    skin = tuple(float(c) for c in scene["skin"])
    for shape in (
        block(-0.85, 0.95, 0.85, 2.6, PALETTE[scene["shirt"]], 0.3),
        circle(0.0, 0.0, 0.95, skin),
        circle(-0.36, -0.22, 0.2, WHITE).plain(),
        circle(0.36, -0.22, 0.2, WHITE).plain(),
        circle(-0.36, -0.22, 0.1, INK).plain(),
        circle(0.36, -0.22, 0.1, INK).plain(),
    ):
        draw(canvas, (0, 0), shape, face, width)
    for shape in (
        block(-0.75, 0.1, 0.75, 1.1, PALETTE[scene["drum"]], 0.06),
        ellipse(0.0, 0.1, 0.76, 0.2, WHITE),
    ):
        draw(canvas, (0, 0), shape, stand, width)


def _draw_mouth(canvas: NDArray[np.float32], scene: Scene, size: int, opening: Floats) -> None:
    """A line when it is closed, a round hole when it is open."""
    pose = stretch(np.ones_like(opening), 0.14 + 0.86 * opening, MOUTH)
    draw(canvas, (0, 0), ellipse(*MOUTH, 0.42, 0.4, LIPS).plain(), chain(_place(scene["face"], size), pose), 1.0)


def _draw_mallet(canvas: NDArray[np.float32], scene: Scene, size: int, strike: Floats) -> None:
    pose = turn(0.75 * (1.0 - strike), (1.1, -0.5))
    place, width = chain(_place(scene["stand"], size, scene["flip"]), pose), outline_width(size, 0.2 * size)
    for shape in (
        capsule((1.1, -0.5), (0.0, -0.25), 0.07, (110.0, 80.0, 50.0)),
        circle(-0.05, -0.2, 0.22, INK).plain(),
    ):
        draw(canvas, (0, 0), shape, place, width)
