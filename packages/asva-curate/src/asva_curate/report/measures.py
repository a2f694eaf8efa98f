"""Which numbers of a set are shown, and of what: the recipe's filters first, then all else that was measured."""

from __future__ import annotations

from array import array
from collections import defaultdict
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


class Measures:
    """Collects the numbers of files and their windows, one file after the other.

    Args:
        recipe: Its filters come first, in their order.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._asked = {rule.measure for rule in recipe.filters}
        self._rules = {rule.name: rule for rule in recipe.filters}
        # (dropped, kept) by rule; a float of a list takes four times as much
        self._values = defaultdict(lambda: (array("d"), array("d")))

    def add(self, measured: Measurements, verdict: Verdict) -> None:
        """Take the numbers of a file; one that failed has none."""
        if not measured.ok:
            return
        for name in (*FILE_NUMBERS, CUTS, *sorted(measured.curves)):
            if name not in self._asked:
                self._rules.setdefault(f"({name})", Filter(name=f"({name})", measure=name))
        kept = any(clip.kept for clip in verdict.clips)
        for name, rule in self._rules.items():
            values = self._values[name]
            if rule.measure == CUTS:
                values[kept].append(len(find_cuts(measured, self.recipe.cuts)))
            elif rule.on_file:
                values[kept].append(rule.value(measured))
            elif rule.measure in measured.curves:
                for span in verdict.windows:
                    values[span.kept].append(rule.value(measured, span.start, span.end))

    def records(self) -> list[dict[str, Any]]:
        """Every number that was measured at all and how it is spread, as JSON can hold it."""
        found = (self._record(rule, *self._values[name]) for name, rule in self._rules.items())
        return [record for record in found if record["count"]]

    def _record(self, rule: Filter, dropped: array, kept: array) -> dict[str, Any]:
        on_file = rule.on_file or rule.measure == CUTS
        return {
            "name": rule.name,
            "measure": rule.measure,
            "stat": "" if on_file else rule.stat,
            "of": "files" if on_file else "windows",
            "unit": UNITS.get(rule.measure, ""),
            "min": rule.min,
            "max": rule.max,
            **histogram(kept, dropped, rule.min, rule.max),
        }


def figure(value: float | None) -> str:
    """A number with four digits at most; nothing for None and NaN."""
    if value is None or value != value:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
