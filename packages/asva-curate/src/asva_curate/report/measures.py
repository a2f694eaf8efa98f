"""Which numbers of a set are shown, and of what: the recipe's filters first, then all else that was measured."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from asva_curate.curation.cuts import find_cuts
from asva_curate.curation.filters import FILE_NUMBERS, Filter
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.verdict import Verdict
from asva_curate.report.histogram import histogram

UNITS = {
    "duration": "seconds",
    "sound_seconds": "seconds of sound",
    "sound_gap": "seconds between the ends of picture and sound",
    "fps": "frames per second",
    "short_side": "pixels",
    "aspect": "width over height",
    "cuts": "cuts in a file",
    "pixel": "mean difference of neighbouring pictures, 0 to 255",
    "content": "PySceneDetect's score",
    "flow": "picture heights per second",
    "light": "mean brightness, 0 to 255",
    "contrast": "deviation of brightness, 0 to 255",
    "level": "dBFS",
    "peak": "of full scale",
    "text": "share of the picture",
    "local_sync": "standard deviations above the mean shift",
}
CUTS = "cuts"


@dataclass
class Shown:
    """A number that is shown, and its values so far.

    Attributes:
        rule: The filter, or a filter without bounds for what none asks for.
        kept: Values of files or windows that were kept.
        dropped: Values of those that were dropped.
    """

    rule: Filter
    kept: array = field(default_factory=partial(array, "d"))  # a float of a list takes four times as much
    dropped: array = field(default_factory=partial(array, "d"))

    def record(self) -> dict[str, Any]:
        """The number and how it is spread, as JSON can hold it."""
        rule = self.rule
        on_file = rule.on_file or rule.measure == CUTS
        return {
            "name": rule.name,
            "measure": rule.measure,
            "stat": "" if on_file else rule.stat,
            "of": "files" if on_file else "windows",
            "unit": UNITS.get(rule.measure, ""),
            "min": rule.min,
            "max": rule.max,
            **histogram(self.kept, self.dropped, rule.min, rule.max),
        }


class Measures:
    """Collects the numbers of files and their windows, one file after the other.

    Args:
        recipe: Its filters come first, in their order.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._shown = {rule.name: Shown(rule) for rule in recipe.filters}
        self._asked = {rule.measure for rule in recipe.filters}

    def add(self, measured: Measurements, verdict: Verdict) -> None:
        """Take the numbers of a file; one that failed has none."""
        if not measured.ok:
            return
        for name in (*FILE_NUMBERS, CUTS, *sorted(measured.curves)):
            if name not in self._asked:
                self._asked.add(name)
                self._shown.setdefault(f"({name})", Shown(Filter(name=f"({name})", measure=name)))
        kept = any(clip.kept for clip in verdict.clips)
        for shown in self._shown.values():
            rule = shown.rule
            if rule.measure == CUTS:
                (shown.kept if kept else shown.dropped).append(float(len(find_cuts(measured, self.recipe.cuts))))
            elif rule.on_file:
                (shown.kept if kept else shown.dropped).append(rule.value(measured))
            elif rule.measure in measured.curves:
                for span in verdict.windows:
                    value = rule.value(measured, span.start, span.end)
                    (shown.kept if span.kept else shown.dropped).append(value)

    def records(self) -> list[dict[str, Any]]:
        """Every number that was measured at all."""
        return [found for found in (shown.record() for shown in self._shown.values()) if found["count"]]


def numbers_of(rules: Iterable[Filter], measured: Measurements, start: float, end: float) -> list[dict[str, Any]]:
    """What each filter sees in a stretch of a file, and whether it objects."""
    rows = []
    for rule in rules:
        if rule.on_file or rule.measure in measured.curves:
            value = rule.value(measured, start, end)
            objects = rule.active and rule.reason(value) is not None
            row = {"name": rule.name, "value": None if value != value else value, "objects": objects}
            rows.append(row | {"min": rule.min, "max": rule.max})
    return rows
