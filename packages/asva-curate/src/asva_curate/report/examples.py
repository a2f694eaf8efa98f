"""Examples of what was kept and of what each reason dropped, chosen by chance but always the same."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path
from typing import Any

from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.verdict import Verdict, clip_key
from asva_curate.curation.whole_set import reason_name
from asva_curate.report.measures import figure
from asva_data.report.blocks import Alarm, Card, Grid, Paragraph
from asva_data.report.clips import small_clip

KEPT = "kept"
SECONDS = 4.0
"""Length of an example, at most."""
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
        numbers: What each filter sees in it, as pieces of a sentence.
    """

    group: str
    path: str
    label: str
    start: float
    end: float | None
    reason: str
    twin: str = ""
    numbers: list[str] = field(default_factory=list)

    def measure(self, measured: Measurements, recipe: Recipe) -> None:
        """Take what each filter sees in it from the measurements of its file; those that object are alarms."""
        end = measured.duration if self.end is None else self.end
        for rule in recipe.filters if measured.ok else ():
            if rule.on_file or rule.measure in measured.curves:
                value = rule.value(measured, self.start, end)
                words = f"{rule.name} {figure(value) or 'not measured'}"
                objects = rule.active and rule.reason(value) is not None
                self.numbers += [", "] * bool(self.numbers) + [Alarm(words) if objects else words]

    def card(self) -> Card:
        """The stretch to play, beside a duplicate the file that it equals."""
        seconds = None if self.end is None else self.end - self.start
        clips = [small_clip("", self.path, self.start, min(SECONDS, seconds or SECONDS))]
        clips += [small_clip(Path(self.twin).name, self.twin, 0.0, SECONDS)] if self.twin else []
        where = "the file as a whole" if seconds is None else f"{self.start:.2f} to {self.end:.2f} s"
        where += f", its first {SECONDS:g} s" if seconds is not None and seconds > SECONDS else ""
        blocks = [Grid(clips), Paragraph(where, quiet=True)]
        blocks += [Paragraph(self.reason)] if self.reason else []
        blocks += [Paragraph(self.numbers, quiet=True)] if self.numbers else []
        return Card(Path(self.path).name, blocks, self.label)


def choose(verdicts: Sequence[Verdict], count: int) -> dict[str, list[Example]]:
    """Some of each group, at most one of a file: what was kept first, then by the number of what a reason dropped."""
    found: dict[str, dict[str, Example]] = defaultdict(dict)
    total = Counter()
    for example in (one for verdict in verdicts for one in _of(verdict)):
        total[example.group] += 1
        found[example.group].setdefault(example.path, example)
    order = sorted(found, key=lambda group: (group != KEPT, -total[group], group))
    return {group: nsmallest(count, found[group].values(), key=_by_chance) for group in order}


def _by_chance(example: Example) -> str:
    return clip_key(example.path, example.start, example.end or 0.0)


def _of(verdict: Verdict) -> Iterator[Example]:
    """The clips of a file that were kept, and all of it that was dropped."""
    known: dict[str, Any] = {"path": verdict.path, "label": verdict.label}
    twin = TWIN.fullmatch(verdict.reason)
    if verdict.reason:
        group = reason_name(verdict.reason)
        yield Example(group, start=0.0, end=None, reason=verdict.reason, twin=twin[2] if twin else "", **known)
    for span in (*verdict.clips, *(window for window in verdict.windows if not window.kept)):
        if span.reason and span.reason == verdict.reason:
            continue  # the file's own reason, said above
        group = reason_name(span.reason) if span.reason else KEPT
        yield Example(group, start=span.start, end=span.end, reason=span.reason, **known)
