"""The objects that are struck: ball, hammer, drums, bell and glass."""

from __future__ import annotations

import numpy as np

from .poses import shift, stretch, turn
from .puppet import Mover, ObjectClass, Puppet
from .shapes import Color, Shape, block, capsule, circle, clipped, ellipse, polygon, union
from .timing import Strike

WOOD: Color = (176.0, 122.0, 72.0)
STEEL: Color = (150.0, 156.0, 170.0)
CREAM: Color = (246.0, 238.0, 216.0)
WHITE: Color = (252.0, 252.0, 250.0)
Colors = dict[str, Color]


def _darker(color: Color, factor: float = 0.72) -> Color:
    return (color[0] * factor, color[1] * factor, color[2] * factor)


def build_ball(colors: Colors) -> Puppet:
    """A ball with a white stripe that hangs in the air and drops to the floor."""
    ball = circle(0.0, 0.5, 0.5, colors["main"])
    stripe = clipped(block(-0.6, 0.38, 0.6, 0.64, WHITE, 0.0), circle(0.0, 0.5, 0.47, WHITE))
    shine = ellipse(-0.18, 0.17, 0.1, 0.06, WHITE, -0.5).plain()

    def pose(p: np.ndarray) -> np.ndarray:
        squash = 0.34 * np.clip((p - 0.8) / 0.2, 0.0, 1.0)
        return shift(stretch(1.0 + 0.7 * squash, 1.0 - squash, (0.0, 1.0)), 0.0, -0.95 * (1.0 - p))

    return Puppet((Mover((ball, stripe, shine), pose),), shadow=(0.0, 0.55))


def build_hammer(colors: Colors) -> Puppet:
    """A hammer that turns around the end of its handle and falls on a nail in a block of wood."""
    wood = block(-0.95, 0.58, 0.1, 1.0, WOOD)
    grain = (capsule((-0.8, 0.74), (-0.2, 0.74), 0.025, _darker(WOOD)).plain(),)
    nail = union((block(-0.475, 0.3, -0.385, 0.62, STEEL, 0.0), block(-0.58, 0.25, -0.28, 0.33, STEEL, 0.0)))
    handle = capsule((-0.43, -0.02), (0.9, -0.02), 0.085, WOOD)
    grip = capsule((0.45, -0.02), (0.92, -0.02), 0.13, colors["main"])
    head = union((block(-0.64, -0.34, -0.22, 0.23, colors["main"]), block(-0.7, 0.1, -0.16, 0.25, colors["main"])))
    shine = block(-0.57, -0.26, -0.48, 0.04, WHITE, 0.0).plain()

    mover = Mover((handle, grip, head, shine), lambda p: turn(0.58 * (1.0 - p), (0.95, 0.06)))
    return Puppet((mover,), (wood, *grain, nail), shadow=(-0.4, 0.65), sparks=(((-0.43, 0.3), -np.pi / 2),))


def build_drums(colors: Colors) -> Puppet:
    """A large low drum on the left, a small high one on the right, a stick above each."""
    back: list[Shape] = []
    for x, half, top, color in ((-0.5, 0.47, 0.3, colors["main"]), (0.53, 0.38, 0.42, colors["second"])):
        shell = union((block(x - half, top, x + half, 0.9, color, 0.0), ellipse(x, 0.9, half, 0.11, color)))
        lower = block(x - half, 0.78, x + half, 0.87, CREAM, 0.0).plain()
        skin = ellipse(x, top, half, 0.13, CREAM)
        back += [shell, lower, skin]
    left = (capsule((-0.98, -0.3), (-0.5, 0.2), 0.055, WOOD), circle(-0.48, 0.22, 0.13, colors["tip"]))
    right = (capsule((0.98, -0.22), (0.53, 0.31), 0.055, WOOD), circle(0.51, 0.33, 0.13, colors["tip"]))
    movers = (
        Mover(left, lambda p: turn(-1.25 * (1.0 - p), (-0.98, -0.3)), 0),
        Mover(right, lambda p: turn(1.25 * (1.0 - p), (0.98, -0.22)), 1),
    )
    sparks = (((-0.46, 0.3), -np.pi / 2), ((0.5, 0.42), -np.pi / 2))
    return Puppet(movers, tuple(back), shadow=(0.0, 1.0), sparks=sparks)


def build_bell(colors: Colors) -> Puppet:
    """A bell in a wooden frame that swings out and rings."""
    posts = (block(-0.97, -0.95, -0.83, 1.0, WOOD), block(0.83, -0.95, 0.97, 1.0, WOOD))
    beam = block(-1.0, -1.0, 1.0, -0.82, WOOD)
    metal = colors["main"]
    profile = [(-0.2, -0.66), (0.2, -0.66), (0.34, -0.42), (0.43, 0.14), (0.5, 0.38), (-0.5, 0.38), (-0.43, 0.14)]
    body = union((polygon([*profile, (-0.34, -0.42)], metal), capsule((-0.52, 0.36), (0.52, 0.36), 0.09, metal)))
    strap = capsule((0.0, -0.84), (0.0, -0.6), 0.09, _darker(metal))
    band = clipped(block(-0.6, 0.02, 0.6, 0.12, _darker(metal), 0.0), body)
    shine = capsule((-0.2, -0.4), (-0.3, -0.06), 0.05, WHITE).plain()
    clapper = union((circle(0.0, 0.55, 0.16, (92.0, 74.0, 58.0)),))
    pivot = (0.0, -0.86)
    movers = (
        Mover((clapper,), lambda p: turn(-0.22 * p, pivot)),
        Mover((strap, body, band, shine), lambda p: turn(-0.5 * p, pivot)),
    )
    return Puppet(movers, (*posts, beam), shadow=(0.0, 1.0), sparks=(((0.3, 0.6), 0.8),))


def build_glass(colors: Colors) -> Puppet:
    """A wine glass with juice, and a spoon that taps its rim."""
    pale: Color = (226.0, 240.0, 246.0)
    x = -0.42
    bowl = union((ellipse(x, -0.1, 0.46, 0.5, pale), block(x - 0.46, -0.62, x + 0.46, -0.08, pale, 0.02)))
    juice = clipped(block(x - 0.6, -0.24, x + 0.6, 0.6, colors["main"], 0.0), ellipse(x, -0.1, 0.40, 0.44, pale))
    foot = union((ellipse(x, 0.92, 0.42, 0.09, pale), block(x - 0.05, 0.35, x + 0.05, 0.92, pale, 0.0)))
    shine = capsule((x - 0.28, -0.45), (x - 0.28, -0.12), 0.045, WHITE).plain()
    handle = capsule((0.25, -0.3), (0.62, 0.86), 0.065, STEEL)
    spoon = ellipse(0.2, -0.48, 0.16, 0.25, (196.0, 202.0, 214.0), -0.3)
    mover = Mover((handle, spoon), lambda p: turn(0.43 * (1.0 - p), (0.62, 0.9)))
    return Puppet((mover,), (foot, bowl, juice, shine), shadow=(x, 0.55), sparks=(((0.06, -0.66), -np.pi / 2),))


def build_disc(colors: Colors) -> Puppet:
    """A disc with rings that swells as the sound swells."""
    rings = (
        circle(0.0, 0.0, 1.0, colors["main"]),
        circle(0.0, 0.0, 0.72, CREAM).plain(),
        circle(0.0, 0.0, 0.46, colors["main"]).plain(),
    )
    mover = Mover(rings, lambda p: stretch(0.48 + 0.5 * p, 0.48 + 0.5 * p, (0.0, 0.0)))
    return Puppet((mover,), shadow=None)


BALL = ObjectClass(
    "ball",
    build_ball,
    Strike(strike=0.105, power=3.0, windup=0.1, windup_time=0.06, recoil=0.22, hold=0.035),
    ("bounce",),
    "a {color} ball",
    "bouncing",
)
HAMMER = ObjectClass("hammer", build_hammer, Strike(windup=0.34), ("hit",), "a {color} hammer", "hitting a nail")
DRUMS = ObjectClass(
    "drums",
    build_drums,
    Strike(windup=0.2),
    ("left", "right"),
    "two {color} drums",
    "and two sticks",
    colors=("main", "second", "tip"),
    flips=False,
)
BELL = ObjectClass(
    "bell", build_bell, Strike(windup=0.35, loud_contact=0.35), ("ring",), "a {color} bell", "ringing",
    palette=("yellow", "orange", "red", "green", "blue", "purple"),
)  # fmt: skip
GLASS = ObjectClass(
    "glass", build_glass, Strike(windup=0.25), ("tap",), "a glass of {color} juice", "and a spoon"
)  # fmt: skip
DISC = ObjectClass(
    "disc",
    build_disc,
    Strike(strike=0.13, windup=0.0, windup_time=0.0, windup_share=0.0, hold=0.03, recoil=0.3, loud_contact=0.5,
           min_gap=0.4, first=0.16),
    ("swell",),
    "a {color} disc",
    "breathing",
    floating=True,
    continuous=True,
)  # fmt: skip
