"""What is kept of one file, and why the rest is dropped: a pure function of its measurements and a recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from asva_curate.curation.cuts import shots
from asva_curate.curation.filters import Filter
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.windows import merge, windows


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of a file that was judged.

    Attributes:
        start: Seconds from the start of the file.
        end: Seconds.
        reason: Why it was dropped, or empty.
    """

    start: float
    end: float
    reason: str = ""

    @property
    def kept(self) -> bool:
        """Whether it stays."""
        return not self.reason


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a recipe says of a file.

    Attributes:
        path: The file.
        label: Its class.
        reason: Why the file as a whole was dropped or failed, or empty.
        windows: Every window that was judged.
        clips: What is left of it, neighbours merged.
    """

    path: str
    label: str
    reason: str = ""
    windows: Sequence[Span] = ()
    clips: Sequence[Span] = field(default=())


def clip_key(path: str, start: float, end: float) -> str:
    """The name of a clip in shards and reviews: 16 hexadecimal digits of its file and its times in milliseconds."""
    words = f"{path}\n{start:.3f}\n{end:.3f}"
    return hashlib.sha256(words.encode(errors="surrogateescape")).hexdigest()[:16]


def decide(measured: Measurements, recipe: Recipe) -> Verdict:
    """Apply the filters of a recipe to one file.

    The first filter that objects gives the reason, in the order of the recipe. Filters of the whole set (duplicates,
    balance of classes) come later, see `settle`.

    Raises:
        MediaError: If a filter needs a measurement that was not taken.
    """
    told = partial(Verdict, path=measured.path, label=measured.label)
    if not measured.ok:
        return told(reason=f"failed: {measured.failure}")
    on_file = [rule for rule in recipe.filters if rule.on_file and rule.applies(measured)]
    reason = _first_reason(on_file, measured, 0.0, measured.duration)
    if reason:
        return told(reason=reason)
    on_spans = [rule for rule in recipe.filters if not rule.on_file and rule.applies(measured)]
    judged, clips = [], []
    for shot in shots(measured, recipe.cuts):
        spans = [
            Span(start=start, end=end, reason=_first_reason(on_spans, measured, start, end))
            for start, end in windows(shot, recipe.windows)
        ]
        kept = [(span.start, span.end) for span in spans if span.kept]
        judged += spans
        clips += [Span(start=start, end=end) for start, end in (merge(kept) if recipe.windows.merge else kept)]
    if not judged:
        return told(reason="shots: no shot is as long as a window")
    return told(windows=tuple(judged), clips=tuple(clips))


def _first_reason(filters: Sequence[Filter], measured: Measurements, start: float, end: float) -> str:
    for rule in filters:
        reason = rule.reason(rule.value(measured, start, end))
        if reason:
            return reason
    return ""
