"""What a drawable object is: still shapes behind and in front, and moving parts with a pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .poses import Affine
from .shapes import Point, Shape
from .timing import Strike


@dataclass(frozen=True)
class Mover:
    """Shapes that move together; `pose` turns the pose number (t,) of its `channel` into an affine map."""

    shapes: tuple[Shape, ...]
    pose: Callable[[NDArray[np.float64]], Affine]
    channel: int = 0


@dataclass(frozen=True)
class Puppet:
    """An object in its own units: about -1..1 in both directions, y down, the floor at y = 1.

    `sparks` holds, per channel, the place and direction (radians) of the burst at an impact, or None.
    """

    movers: tuple[Mover, ...]
    back: tuple[Shape, ...] = ()
    front: tuple[Shape, ...] = ()
    shadow: tuple[float, float] | None = (0.0, 0.8)  # centre x, half width
    sparks: tuple[tuple[Point, float] | None, ...] = (None,)


@dataclass(frozen=True)
class ObjectClass:
    """One kind of object: how it looks, moves and is called.

    `build` takes the colours by name; `colors` lists the names that a scene must draw for it.
    """

    name: str
    build: Callable[[dict[str, tuple[float, float, float]]], Puppet]
    style: Strike
    labels: tuple[str, ...]  # one per channel
    noun: str  # with {color}
    action: str
    colors: tuple[str, ...] = ("main",)
    palette: tuple[str, ...] = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
    floating: bool = False
    flips: bool = True
    continuous: bool = False
    ambient: bool = False
    extent: float = 1.0  # largest half width in object units, so that all classes take the same room
