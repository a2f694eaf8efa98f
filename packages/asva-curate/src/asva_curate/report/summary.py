"""A curated set in numbers, as JSON can hold them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from asva_curate.curation.results import Results
from asva_curate.curation.verdict import Verdict
from asva_curate.curation.whole_set import count_reasons
from asva_curate.report.examples import TWIN, Example, choose
from asva_curate.report.measures import Measures
from asva_curate.review.agreement import review_summary

FAILURES = 50
"""Files that could not be read which are listed; all stand in reasons.csv."""


def summarize(
    results: Results, examples: int = 3, on_file: Callable[[int], None] | None = None
) -> tuple[dict[str, Any], dict[str, list[Example]]]:
    """Counts, classes, spreads, duplicates and failures of a set, and examples of each reason.

    Args:
        results: Of `asva curate`.
        examples: Of what was kept and of each reason.
        on_file: Called with the number of files that were looked at.

    Returns:
        What report.json holds, and the examples by group.
    """
    verdicts, recipe = results.verdicts, results.recipe
    chosen = choose(verdicts, examples) if examples else {}
    wanted: dict[str, list[Example]] = defaultdict(list)
    for example in (one for group in chosen.values() for one in group):
        wanted[example.path].append(example)
    measures, seconds = Measures(recipe), Counter()
    for place, (item, verdict) in enumerate(zip(results.measurements(), verdicts, strict=True), start=1):
        measures.add(item, verdict)
        seconds[verdict.label] += item.duration
        for example in wanted[item.path]:
            example.measure(item, recipe)
        if on_file is not None:
            on_file(place)
    return {
        "folder": results.folder.name,
        "recipe": recipe.record(),
        "totals": {**_totals(verdicts), "seconds": sum(seconds.values())},
        "counts": count_reasons(verdicts),
        "classes": _classes(verdicts, seconds),
        "measurements": measures.records(),
        "duplicates": _duplicates(verdicts),
        "failures": _failures(verdicts),
        "review": review_summary(results.folder),
    }, chosen


def _totals(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    kept = [clip for verdict in verdicts for clip in verdict.clips if clip.kept]
    return {
        "files": len(verdicts),
        "files_kept": sum(any(clip.kept for clip in verdict.clips) for verdict in verdicts),
        "clips_kept": len(kept),
        "seconds_kept": sum(clip.end - clip.start for clip in kept),
    }


def _classes(verdicts: Sequence[Verdict], seconds: Counter[str]) -> list[dict[str, Any]]:
    files, clips, kept = Counter(), Counter(), Counter()
    for verdict in verdicts:
        files[verdict.label] += 1
        for clip in verdict.clips:
            if clip.kept:
                clips[verdict.label] += 1
                kept[verdict.label] += clip.end - clip.start
    return [
        {
            "label": label,
            "files": files[label],
            "seconds": seconds[label],
            "clips_kept": clips[label],
            "seconds_kept": float(kept[label]),
        }
        for label in sorted(files, key=lambda label: (-clips[label], label))
    ]


def _duplicates(verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
    found = ((verdict.path, TWIN.fullmatch(verdict.reason)) for verdict in verdicts)
    return [
        {"path": path, "twin": twin[2], "same": twin[1], "kind": twin[0].split(":")[0]} for path, twin in found if twin
    ]


def _failures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    failed = [verdict for verdict in verdicts if verdict.reason.startswith("failed: ")]
    rows = [{"path": verdict.path, "reason": verdict.reason.removeprefix("failed: ")} for verdict in failed[:FAILURES]]
    return {"count": len(failed), "first": rows}
