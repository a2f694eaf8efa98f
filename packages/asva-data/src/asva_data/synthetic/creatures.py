"""The living objects: woodpecker, hands and frog, and the scenery of the ambient class."""

from __future__ import annotations

import numpy as np

from .poses import shift, stretch, turn
from .puppet import Mover, ObjectClass, Puppet
from .shapes import INK, Color, block, capsule, circle, ellipse, polygon, union
from .things import CREAM, WHITE, Colors
from .timing import Strike

BARK: Color = (128.0, 88.0, 58.0)
LEAF: Color = (84.0, 156.0, 84.0)


def build_woodpecker(colors: Colors) -> Puppet:
    """A bird that clings to a trunk and pecks it with its whole body."""
    trunk = block(-1.0, -1.0, -0.56, 1.0, BARK)
    dark: Color = (98.0, 64.0, 42.0)
    bark = tuple(
        capsule((x, y), (x, y + 0.22), 0.025, dark).plain() for x, y in ((-0.84, -0.7), (-0.7, 0.3), (-0.88, 0.6))
    )
    hole = ellipse(-0.7, -0.42, 0.06, 0.1, (60.0, 38.0, 28.0)).plain()
    main = colors["main"]
    tail = polygon([(-0.2, 0.5), (0.12, 0.55), (-0.28, 1.0), (-0.42, 0.95)], INK)
    body = ellipse(-0.02, 0.2, 0.32, 0.56, main, 0.25)
    belly = ellipse(-0.14, 0.2, 0.16, 0.38, CREAM, 0.25).plain()
    wing = ellipse(0.14, 0.26, 0.15, 0.4, INK, 0.25).plain()
    crest = polygon([(0.0, -0.66), (0.42, -0.74), (0.3, -0.34)], (222.0, 52.0, 48.0))
    head = circle(0.1, -0.42, 0.29, main)
    beak = polygon([(-0.56, -0.42), (-0.1, -0.54), (-0.1, -0.28)], (244.0, 190.0, 60.0))
    eye = circle(0.04, -0.48, 0.11, WHITE).plain()
    pupil = circle(0.01, -0.48, 0.065, INK).plain()
    shapes = (tail, body, belly, wing, beak, crest, head, eye, pupil)
    mover = Mover(shapes, lambda p: turn(0.42 * (1.0 - p), (-0.35, 0.75)))
    return Puppet((mover,), (trunk, *bark, hole), shadow=None, sparks=(((-0.56, -0.42), 0.0),))


def build_hands(colors: Colors) -> Puppet:
    """Two hands with sleeves that turn around the elbows and clap."""
    skin = colors["skin"]
    movers = []
    for side in (-1.0, 1.0):
        x = side * 0.27
        fingers = [capsule((x + dx, -0.1), (x + dx * 1.1, top), 0.078, skin)
                   for dx, top in ((-0.17, -0.56), (-0.055, -0.68), (0.06, -0.68), (0.175, -0.56))]  # fmt: skip
        palm = block(x - 0.25, -0.22, x + 0.25, 0.34, skin, 0.12)
        thumb = capsule((x - side * 0.14, 0.2), (x - side * 0.24, -0.12), 0.085, skin)
        wrist = block(x - 0.15, 0.2, x + 0.15, 0.6, skin, 0.02)
        hand = union((palm, *fingers, wrist))
        sleeve = polygon([(x - 0.22, 0.48), (x + 0.22, 0.48), (x + 0.28, 1.0), (x - 0.28, 1.0)], colors["main"])
        cuff = block(x - 0.25, 0.44, x + 0.25, 0.56, WHITE, 0.02)
        lines = tuple(capsule((x + dx, -0.16), (x + dx, -0.42), 0.02, tuple(0.62 * c for c in skin)).plain()
                      for dx in (-0.113, 0.0, 0.117))  # fmt: skip
        shapes = (hand, *lines, thumb, sleeve, cuff)
        movers.append(Mover(shapes, lambda p, s=side: turn(s * 0.4 * (1.0 - p), (s * 0.2, 1.0))))
    return Puppet(tuple(movers), shadow=None, sparks=(((0.0, -0.6), -np.pi / 2),))


def build_frog(colors: Colors) -> Puppet:
    """A frog on a lily pad that leaps up and lands with a croak."""
    main = colors["main"]
    pad = ellipse(0.0, 0.93, 0.98, 0.15, (96.0, 170.0, 110.0))
    legs = union((ellipse(-0.62, 0.66, 0.27, 0.24, main, -0.5), ellipse(0.62, 0.66, 0.27, 0.24, main, 0.5)))
    feet = union((ellipse(-0.66, 0.89, 0.27, 0.09, main), ellipse(0.66, 0.89, 0.27, 0.09, main)))
    body = ellipse(0.0, 0.5, 0.56, 0.43, main)
    belly = ellipse(0.0, 0.68, 0.34, 0.2, CREAM).plain()
    lids = union((circle(-0.34, 0.1, 0.23, main), circle(0.34, 0.1, 0.23, main)))
    eyes = union((circle(-0.34, 0.09, 0.155, WHITE), circle(0.34, 0.09, 0.155, WHITE))).plain()
    pupils = union((circle(-0.32, 0.1, 0.085, INK), circle(0.32, 0.1, 0.085, INK))).plain()
    smile = union((capsule((-0.3, 0.38), (0.0, 0.46), 0.03, INK), capsule((0.0, 0.46), (0.3, 0.38), 0.03, INK))).plain()

    def pose(p: np.ndarray) -> np.ndarray:
        squash = np.clip(p / 0.3, 0.0, 1.0)
        height = np.clip(-p, 0.0, None)
        width = 1.0 + 0.16 * squash - 0.08 * np.minimum(height, 1.0)
        tall = 1.0 - 0.34 * squash + 0.12 * np.minimum(height, 1.0)
        return shift(stretch(width, tall, (0.0, 0.93)), 0.0, -0.74 * height)

    mover = Mover((legs, feet, lids, body, belly, eyes, pupils, smile), pose)
    return Puppet((mover,), (pad,), shadow=None, sparks=(None,))


def build_cloud(colors: Colors) -> Puppet:
    """A cloud that drifts over a hill and a tree that stand still."""
    white: Color = (250.0, 250.0, 252.0)
    hill = ellipse(-0.2, 1.1, 1.5, 0.75, LEAF)
    trunk = block(-0.62, 0.1, -0.46, 0.6, BARK)
    crown = union((circle(-0.54, -0.08, 0.3, colors["main"]), circle(-0.72, 0.08, 0.2, colors["main"]),
                   circle(-0.36, 0.08, 0.2, colors["main"])))  # fmt: skip
    lumps = ((0.0, -0.6, 0.34, 0.2), (-0.12, -0.7, 0.2, 0.2), (0.14, -0.68, 0.17, 0.17),
             (-0.25, -0.54, 0.2, 0.12), (0.28, -0.54, 0.2, 0.12))  # fmt: skip
    cloud = union([ellipse(*lump, white) for lump in lumps])
    mover = Mover((cloud,), lambda p: shift(stretch(np.ones_like(p), np.ones_like(p), (0.0, 0.0)), 0.35 * p, 0.0))
    return Puppet((mover,), (hill, trunk, crown), shadow=None)


WOODPECKER = ObjectClass(
    "woodpecker", build_woodpecker, Strike(windup=0.3), ("peck",), "a {color} woodpecker", "pecking a tree",
    palette=("orange", "yellow", "green", "blue", "purple", "pink"),
)  # fmt: skip
HANDS = ObjectClass(
    "hands", build_hands, Strike(windup=0.25), ("clap",), "two hands in {color} sleeves", "clapping",
    colors=("main", "skin"), flips=False, extent=1.15,
)  # fmt: skip
FROG = ObjectClass(
    "frog",
    build_frog,
    Strike(
        windup=1.0, windup_time=0.15, windup_share=0.75, contact=0.3, hold=0.03, recoil=0.08, min_gap=0.29, first=0.25
    ),
    ("land",),
    "a {color} frog",
    "jumping",
    palette=("green", "yellow", "orange", "blue", "purple", "red"),
    flips=False,
)
CLOUD = ObjectClass(
    "cloud", build_cloud, Strike(), (), "a cloud over a {color} tree", "in the wind",
    palette=("green", "orange", "red", "pink", "yellow"), floating=True, ambient=True,
)  # fmt: skip
