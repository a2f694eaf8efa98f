"""What is kept of a whole set: files that are not there twice, and classes that are large enough."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from asva_curate.curation.duplicates import find_duplicates
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe, SetRule
from asva_curate.curation.verdict import Span, Verdict, clip_key


def settle(
    measured: Sequence[Measurements],
    verdicts: Sequence[Verdict],
    recipe: Recipe,
    never: Iterable[Measurements] = (),
) -> list[Verdict]:
    """Drop what other files make superfluous.

    Args:
        measured: Of every file.
        verdicts: Of every file, in the same order.
        recipe: Its `whole` is applied.
        never: Files of test sets, which no file of the set may equal.

    Returns:
        The verdicts, in the same order.
    """
    alive = [item for item, verdict in zip(measured, verdicts, strict=True) if verdict.clips]
    twins = find_duplicates(alive, never, recipe.whole)
    settled = [
        replace(verdict, reason=twins[verdict.path], clips=_dropped(verdict, twins[verdict.path]))
        if verdict.path in twins
        else verdict
        for verdict in verdicts
    ]
    return balance(settled, recipe.whole)


def balance(verdicts: Sequence[Verdict], rule: SetRule) -> list[Verdict]:
    """Drop classes with too few clips; of those with too many keep some, spread by chance but always the same.

    Only clips that are still kept count; files without a label are of no class, so none is too small.
    """
    keys: Mapping[str, list[str]] = defaultdict(list)
    for verdict in verdicts:
        keys[verdict.label] += [_key(verdict, clip) for clip in verdict.clips if clip.kept]
    chosen = {label: set(sorted(found)[: rule.max_per_class]) for label, found in keys.items()}
    small = {label for label, found in keys.items() if label and len(found) < rule.min_per_class}

    def judge(verdict: Verdict, clip: Span) -> Span:
        if not clip.kept:
            return clip
        if verdict.label in small:
            return replace(clip, reason=f"small-class: {len(keys[verdict.label])} < {rule.min_per_class}")
        if _key(verdict, clip) not in chosen[verdict.label]:
            return replace(clip, reason=f"large-class: more than {rule.max_per_class}")
        return clip

    return [replace(verdict, clips=tuple(judge(verdict, clip) for clip in verdict.clips)) for verdict in verdicts]


def count_reasons(verdicts: Iterable[Verdict]) -> dict[str, dict[str, int]]:
    """How many files, windows and clips were kept, and how many fell to each filter.

    Returns:
        ``{"files": {...}, "windows": {...}, "clips": {...}}``, each with ``kept`` and the names of filters; every file,
        window and clip is counted once.
    """
    files, spans, clips = Counter(), Counter(), Counter()
    for verdict in verdicts:
        kept = any(clip.kept for clip in verdict.clips)
        files[reason_name(verdict.reason) or ("kept" if kept else "no clip left")] += 1
        spans.update(reason_name(span.reason) or "kept" for span in verdict.windows)
        clips.update(reason_name(clip.reason) or "kept" for clip in verdict.clips)
    return {name: dict(sorted(c.items())) for name, c in (("files", files), ("windows", spans), ("clips", clips))}


def _dropped(verdict: Verdict, reason: str) -> tuple[Span, ...]:
    return tuple(replace(clip, reason=reason) for clip in verdict.clips)


def reason_name(reason: str) -> str:
    """The filter that gave a reason."""
    return reason.split(":", 1)[0]


def _key(verdict: Verdict, clip: Span) -> str:
    """Sorting by it shuffles, the same everywhere."""
    return clip_key(verdict.path, clip.start, clip.end)
