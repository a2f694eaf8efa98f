"""What moves, how, and with which band of the sound, as a user says it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asva_keyframe.onsets import BANDS
from asva_pipelines.make.errors import RequestError

KINDS = ("zoom", "squash", "swing", "move", "shake")
EDGES = ("bend", "cut")
MOST = 4.0  # times the usual amount; beyond it pictures tear


@dataclass(frozen=True, kw_only=True)
class Part:
    """A region of a photograph that moves.

    Attributes:
        region: A mask of the photograph's size, white where it moves; a box (x, y, width, height) in its pixels; None
            finds what the photograph shows.
        kind: ``zoom`` or ``squash`` on the pivot, ``swing`` about it, ``move`` along `angle`, or ``shake``.
        band: Of the sound that moves it: ``all``, ``low``, ``mid`` or ``high``.
        strength: Times the usual amount, which is a tenth of the region's size.
        angle: Degrees from rightwards, counter-clockwise, of ``move``.
        pivot: (x, y) in pixels of the photograph that stays where it is; None is the middle of the region's base.
        edge: ``bend`` stretches what lies around the region, which forgives rough outlines; ``cut`` lifts it off along
            its outline and inpaints what it uncovers.
    """

    region: Path | tuple[int, int, int, int] | None = None
    kind: str = "zoom"
    band: str = "all"
    strength: float = 1.0
    angle: float = 90.0
    pivot: tuple[float, float] | None = None
    edge: str = "bend"

    def __post_init__(self) -> None:
        for name, allowed in (("kind", KINDS), ("band", tuple(BANDS)), ("edge", EDGES)):
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"`{name}` must be one of {', '.join(allowed)}, got {value}.")
        if not 0 < self.strength <= MOST:
            raise ValueError(f"`strength` must be above 0 and at most {MOST:g}, got {self.strength:g}.")
        if not math.isfinite(self.angle):
            raise ValueError(f"`angle` must be a number of degrees, got {self.angle}.")


def parse_part(text: str, option: str = "--part") -> Part:
    """A part from ``REGION=KIND,name=value,...``.

    >>> parse_part("10,20,300,200=swing,band=low,pivot=160:220").region
    (10, 20, 300, 200)

    Raises:
        RequestError: If it cannot be read.
    """
    region, sign, motion = text.partition("=")
    if not (region and sign and motion):
        raise RequestError(f"`{option}` must be REGION=KIND, such as mask.png=swing,band=low, got '{text}'.")
    return Part(region=_region(region, option), **parse_motion(motion, option))


def parse_motion(text: str, option: str = "--motion") -> dict[str, Any]:
    """Fields of a :class:`Part` from ``KIND,name=value,...``.

    >>> parse_motion("swing,strength=2")
    {'kind': 'swing', 'strength': 2.0}
    """
    kind, *rest = text.split(",")
    told: dict[str, Any] = {"kind": kind}
    for entry in rest:
        name, _, value = entry.partition("=")
        try:
            told[name] = {"band": str, "edge": str, "strength": float, "angle": float, "pivot": _point}[name](value)
        except (KeyError, ValueError):
            raise RequestError(
                f"`{option}` must name band, strength, angle, pivot=x:y or edge behind the kind, got '{entry}'."
            ) from None
    try:
        Part(**told)
    except ValueError as error:
        raise RequestError(f"`{option}`: {error}") from None
    return told


def parse_box(text: str, option: str = "--box") -> tuple[int, int, int, int]:
    """Left, top, width and height from ``10,20,300,200``."""
    try:
        left, top, width, height = (int(word) for word in text.split(","))
    except ValueError:
        raise RequestError(f"`{option}` must be left,top,width,height in pixels, got '{text}'.") from None
    return left, top, width, height


def _region(text: str, option: str) -> Path | tuple[int, int, int, int]:
    return parse_box(text, option) if text.replace(",", "").replace("-", "").isdigit() else Path(text)


def _point(text: str) -> tuple[float, float]:
    x, y = (float(word) for word in text.split(":"))
    return x, y
