"""How a number is spread over what was kept and what was dropped: counts, and their drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asva_data.report.blocks import Figure
from asva_data.report.drawing import COLOURS, draw

BINS = 40
POINTS = (0, 1, 5, 25, 50, 75, 95, 99, 100)


def histogram(kept: Sequence[float], dropped: Sequence[float], low: float | None, high: float | None) -> dict[str, Any]:
    """Counts between the 1st and the 99th percentile, widened to both bounds; the end bins hold what lies beyond.

    Args:
        kept: Values of what was kept; NaN counts as not measured.
        dropped: Values of what was dropped.
        low: Lower bound that is drawn in, or None.
        high: Upper bound, or None.

    Returns:
        ``edges`` (41 rising values), ``kept`` and ``dropped`` (40 counts each), ``count``, ``missing``, ``below``,
        ``above`` (how many lie outside the bounds) and ``percentiles``; no edges if nothing was measured.
    """
    parts = {"kept": np.asarray(kept, np.float64), "dropped": np.asarray(dropped, np.float64)}
    everything = np.concatenate(list(parts.values()))
    values = everything[np.isfinite(everything)]
    found = {
        "count": len(values),
        "missing": len(everything) - len(values),
        "below": 0 if low is None else int((values < low).sum()),
        "above": 0 if high is None else int((values > high).sum()),
    }
    if not len(values):
        return {"edges": [], "kept": [], "dropped": [], **found, "percentiles": {}}
    edges = _edges(values, [bound for bound in (low, high) if bound is not None])
    counts = {name: _counts(part, edges) for name, part in parts.items()}
    percentiles = {str(point): float(np.percentile(values, point)) for point in POINTS}
    return {"edges": edges.tolist(), **counts, **found, "percentiles": percentiles}


def _edges(values: np.ndarray, bounds: list[float]) -> np.ndarray:
    first, last = np.percentile(values, [1, 99])
    first, last = min(first, *bounds, last), max(last, *bounds, first)
    margin = 0.05 * (last - first) or max(abs(first), 1.0) / 2
    lowest = max(0.0, first - margin) if first >= 0 else first - margin  # nothing below 0 where there is nothing
    return np.linspace(lowest, last + margin, BINS + 1)


def _counts(values: np.ndarray, edges: np.ndarray) -> list[int]:
    inside = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
    return np.histogram(inside, edges)[0].tolist()


def draw_histogram(measure: Mapping[str, Any]) -> Figure:
    """A measurement as `summarize` records it: what was dropped on top of what was kept, and the thresholds."""
    edges, kept = np.array(measure["edges"]), np.array(measure["kept"])
    words = [f"Histogram of {measure['name']} over {measure['count']} {measure['of']}"]
    words[0] += f", median {measure['percentiles']['50']:.4g}"
    bounds = [(measure[side], where) for side, where in (("min", "below"), ("max", "above"))]
    bounds = [(value, where) for value, where in bounds if value is not None]
    words += [f"{measure[where]} {where} {value:g}" for value, where in bounds]

    def paint(figure: Any) -> None:
        axes = figure.add_axes((0.05, 0.17, 0.9, 0.81), xlim=(edges[0], edges[-1]), yticks=[])
        place, width = edges[:-1], 0.9 * np.diff(edges)
        axes.bar(place, kept, width, align="edge", color=COLOURS["blue"])
        axes.bar(place, measure["dropped"], width, kept, align="edge", color=COLOURS["amber"])
        for value, _ in bounds:
            axes.axvline(value, color=COLOURS["red"], ls=(0, (3, 1.5)), lw=2)
        axes.locator_params(axis="x", nbins=6)

    return Figure(draw(paint, 300, 130), "; ".join(words))
