"""Drawing lots for a scene: which objects, colours and places, and the caption that names them."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np

from .catalogue import OBJECT_CLASSES, PALETTE

SKINS = ((250.0, 214.0, 180.0), (236.0, 184.0, 140.0), (198.0, 140.0, 96.0), (146.0, 96.0, 64.0), (104.0, 68.0, 48.0))
Scene = dict[str, Any]


def _rgb(hue: float, saturation: float, value: float) -> list[int]:
    return [int(255 * c) for c in colorsys.hsv_to_rgb(hue % 1.0, saturation, value)]


def _near(rng: np.random.Generator, color: tuple[float, float, float], spread: float = 14.0) -> list[int]:
    return [int(c) for c in np.clip(np.array(color) + rng.uniform(-spread, spread, 3), 20, 252)]


def draw_background(rng: np.random.Generator, horizon: float, ambient: bool) -> dict[str, Any]:
    """A pale wall (or sky) and a darker floor (or grass)."""
    if ambient:
        wall = _rgb(rng.uniform(0.53, 0.62), rng.uniform(0.25, 0.45), rng.uniform(0.82, 0.96))
        return {"wall": wall, "floor": _rgb(0.30, 0.40, rng.uniform(0.6, 0.7)), "horizon": 0.9}
    wall = _rgb(rng.uniform(), rng.uniform(0.05, 0.2), rng.uniform(0.84, 0.97))
    floor = _rgb(rng.uniform(), rng.uniform(0.1, 0.3), rng.uniform(0.56, 0.72))
    return {"wall": wall, "floor": floor, "horizon": horizon}


def draw_object(rng: np.random.Generator, name: str, x: float, size: float, floor: float) -> dict[str, Any]:
    """One object of class `name` around column `x`, standing on `floor` (all in parts of the picture)."""
    kind = OBJECT_CLASSES[name]
    color = str(rng.choice(kind.palette))
    colors: dict[str, list[int]] = {}
    for part in kind.colors:
        source = PALETTE[color]
        if part == "skin":
            source = SKINS[rng.integers(len(SKINS))]
        elif part == "tip":
            source = (235.0, 235.0, 230.0) if rng.random() < 0.5 else (90.0, 70.0, 60.0)
        colors[part] = _near(rng, source)
    size = size / kind.extent
    y = floor - size
    if kind.floating:
        y = 0.5 + rng.uniform(-0.03, 0.03)
    flip = bool(kind.flips and rng.random() < 0.5)
    place = [round(x, 4), round(y, 4)]
    return {"class": name, "color": color, "colors": colors, "center": place, "size": round(size, 4), "flip": flip}


def draw_scene(rng: np.random.Generator, names: list[str]) -> Scene:
    """A scene of one object, or of two side by side."""
    floor = rng.uniform(0.90, 0.95)
    things = []
    for index, name in enumerate(names):
        if OBJECT_CLASSES[name].ambient:
            thing = draw_object(rng, name, 0.5, rng.uniform(0.48, 0.5), floor)
        elif len(names) == 1:
            size = rng.uniform(0.36, 0.43)
            spare = 0.47 - size
            thing = draw_object(rng, name, 0.5 + rng.uniform(-spare, spare), size, floor)
        else:
            size = rng.uniform(0.215, 0.235)
            thing = draw_object(rng, name, 0.255 + 0.49 * index + rng.uniform(-0.01, 0.01), size, floor)
        things.append(thing)
    horizon = floor - rng.uniform(0.06, 0.12)
    ambient = any(OBJECT_CLASSES[name].ambient for name in names)
    return {"background": draw_background(rng, round(horizon, 4), ambient), "objects": things}


def caption(scene: Scene) -> str:
    """Names what can be seen; with two objects it does not tell which of them will move."""
    things = scene["objects"]
    nouns = [OBJECT_CLASSES[thing["class"]].noun.format(color=thing["color"]) for thing in things]
    if len(nouns) == 1:
        return f"{nouns[0]} {OBJECT_CLASSES[things[0]['class']].action}"
    return " and ".join(nouns)
