"""Examples of what was kept and of what each reason dropped, chosen by chance but always the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.verdict import Verdict, clip_key
from asva_curate.curation.whole_set import reason_name
from asva_curate.report.measures import numbers_of

KEPT = "kept"
TWIN = re.compile(r"(?:duplicate|test-set): same (\w+) as (.*)", re.DOTALL)


@dataclass
class Example:
    """A stretch of a file to look at.

    Attributes:
        group: `KEPT`, or the filter that dropped it.
        path: The file.
        label: Its class.
        start: Seconds from the start of the file.
        end: Seconds, or None for the file as a whole.
        reason: Why it was dropped, or empty.
        twin: For a duplicate the file that it equals, or empty.
        numbers: What each filter sees in it.
    """

    group: str
    path: str
    label: str
    start: float
    end: float | None
    reason: str
    twin: str = ""
    numbers: Sequence[dict[str, Any]] = field(default=())

    def measure(self, measured: Measurements, recipe: Recipe) -> None:
        """Take the numbers of its file."""
        if measured.ok:
            end = measured.duration if self.end is None else self.end
            self.numbers = numbers_of(recipe.filters, measured, self.start, end)


def choose(verdicts: Sequence[Verdict], count: int) -> dict[str, list[Example]]:
    """Some of each group, at most one of a file: what was kept first, then by the number of what a reason dropped."""
    found: dict[str, list[tuple[str, Example]]] = {}
    total: dict[str, int] = {}
    for verdict in verdicts:
        seen: set[str] = set()
        for example in _of(verdict):
            total[example.group] = total.get(example.group, 0) + 1
            if example.group in seen:
                continue
            seen.add(example.group)
            known = found.setdefault(example.group, [])
            known.append((clip_key(example.path, example.start, example.end or 0.0), example))
            known.sort(key=lambda pair: pair[0])
            del known[count:]
    order = sorted(found, key=lambda group: (group != KEPT, -total[group], group))
    return {group: [example for _, example in found[group]] for group in order if found[group]}


def _of(verdict: Verdict) -> Iterator[Example]:
    """The clips of a file that were kept, and all of it that was dropped."""
    known = {"path": verdict.path, "label": verdict.label}
    twin = TWIN.fullmatch(verdict.reason)
    if verdict.reason:
        group = reason_name(verdict.reason)
        yield Example(group, start=0.0, end=None, reason=verdict.reason, twin=twin[2] if twin else "", **known)
    for span in (*verdict.clips, *(window for window in verdict.windows if not window.kept)):
        if span.reason and span.reason == verdict.reason:
            continue  # the file's own reason, said above
        group = reason_name(span.reason) if span.reason else KEPT
        yield Example(group, start=span.start, end=span.end, reason=span.reason, **known)
