"""A histogram as bars and lines in the units of its SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asva_curate.report.histogram import BINS

WIDTH, HEIGHT = 400, 100


@dataclass(frozen=True)
class Drawing:
    """Where things stand.

    Attributes:
        kept: Bars of what was kept as (x, y, width, height).
        dropped: Bars of what was dropped, on top of them.
        bounds: Places and values of the thresholds, and on which side of them things are dropped.
        first: Value at the left end.
        last: Value at the right end.
        words: The same for those who cannot see it.
    """

    kept: list[tuple[float, float, float, float]]
    dropped: list[tuple[float, float, float, float]]
    bounds: list[tuple[float, float, str]]
    first: float
    last: float
    words: str


def drawing(measure: dict[str, Any]) -> Drawing:
    """The drawing of a measurement as `summarize` records it."""
    edges, kept, dropped = measure["edges"], measure["kept"], measure["dropped"]
    most = max(a + b for a, b in zip(kept, dropped, strict=True))
    width = WIDTH / BINS
    lower, upper = [], []
    for place, (a, b) in enumerate(zip(kept, dropped, strict=True)):
        below, above = HEIGHT * a / most, HEIGHT * b / most
        lower.append(_bar(place * width, HEIGHT - below, width, below))
        upper.append(_bar(place * width, HEIGHT - below - above, width, above))
    scale = WIDTH / (edges[-1] - edges[0])
    bounds = [
        (round((measure[side] - edges[0]) * scale, 1), measure[side], side)
        for side in ("min", "max")
        if measure[side] is not None
    ]
    return Drawing(
        kept=[bar for bar in lower if bar[3]],
        dropped=[bar for bar in upper if bar[3]],
        bounds=bounds,
        first=edges[0],
        last=edges[-1],
        words=_words(measure),
    )


def _bar(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return round(x, 2), round(y, 2), round(width - 0.5, 2), round(height, 2)


def _words(measure: dict[str, Any]) -> str:
    points = measure["percentiles"]
    words = f"Histogram of {measure['name']} over {measure['count']} {measure['of']}, median {points['50']:.4g}"
    if measure["min"] is not None:
        words += f"; {measure['below']} below {measure['min']:g}"
    if measure["max"] is not None:
        words += f"; {measure['above']} above {measure['max']:g}"
    return words
