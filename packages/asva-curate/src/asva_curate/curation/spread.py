"""How a filter's number is spread over a set of files: what a threshold is chosen from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from asva_curate.curation.cuts import shots
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.windows import windows

POINTS = (0, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 100)


def percentiles(
    measured: Iterable[Measurements], recipe: Recipe, points: Sequence[float] = POINTS
) -> dict[str, dict[float, float]]:
    """Percentiles of every filter's number over all files, or all windows that a recipe cuts.

    Args:
        measured: Files; those that failed are left out.
        recipe: Its filters name the numbers, its rules the windows. Bounds do not matter.
        points: Percentiles wanted, 0 to 100.

    Returns:
        Name of the filter to percentile to value; filters that were not measured anywhere are left out.
    """
    found: dict[str, list[float]] = {rule.name: [] for rule in recipe.filters}
    for item in measured:
        if not item.ok:
            continue
        spans = [span for shot in shots(item, recipe.cuts) for span in windows(shot, recipe.windows)]
        for rule in recipe.filters:
            found[rule.name] += [rule.value(item)] if rule.on_file else [rule.value(item, *span) for span in spans]
    arrays = {name: np.array([value for value in values if value == value]) for name, values in found.items()}
    return {
        name: {point: float(np.percentile(values, point)) for point in points}
        for name, values in arrays.items()
        if len(values)
    }
