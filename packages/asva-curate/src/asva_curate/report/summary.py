"""A curated set in numbers, as report.json holds them, and the page about it; each written whole or not at all."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asva_curate.curation.results import Results
from asva_curate.curation.verdict import Verdict
from asva_curate.curation.whole_set import count_reasons
from asva_curate.report.examples import TWIN, Example, choose
from asva_curate.report.measures import Measures
from asva_curate.report.page import report_page
from asva_curate.review.agreement import review_summary
from asva_data import MediaError
from asva_data.draft import draft_of

FAILURES = 50
"""Files that could not be read which are listed; all stand in reasons.csv."""


def write_report(
    folder: str | os.PathLike,
    *,
    examples: int = 3,
    on_step: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Write ``report.html``, which needs nothing from outside, and ``report.json`` beside the results of a curation.

    Args:
        folder: Results of `asva curate`.
        examples: Playable examples of what was kept and of what each reason dropped; 0 for none.
        on_step: Called with (stage, done, all).

    Returns:
        The path of report.html.

    Raises:
        MediaError: If the folder holds no results, or the number of examples is negative.
    """
    if examples < 0:
        raise MediaError(f"`examples` must be at least 0, got {examples}.")
    results, step = Results(folder), on_step or (lambda stage, done, total: None)
    total = len(results.verdicts)
    report, chosen = summarize(results, examples, lambda done: step("reading measurements", done, total))
    cards, made, count = {}, 0, sum(map(len, chosen.values()))
    for group, found in chosen.items():
        cards[group] = []
        for example in found:
            cards[group].append(example.card())
            step("making examples small", made := made + 1, count)
    _write(results.folder / "report.json", json.dumps(report, indent=1) + "\n")
    return _write(results.folder / "report.html", report_page(report, cards))


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
    measures, seconds = Measures(recipe), defaultdict(float)
    for place, (item, verdict) in enumerate(zip(results.measurements(), verdicts, strict=True), start=1):
        measures.add(item, verdict)
        seconds[verdict.label] += item.duration
        for example in wanted[item.path]:
            example.measure(item, recipe)
        if on_file is not None:
            on_file(place)
    classes = _classes(verdicts, seconds)
    totals = {
        "files": len(verdicts),
        "files_kept": sum(any(clip.kept for clip in verdict.clips) for verdict in verdicts),
        "clips_kept": sum(one["clips_kept"] for one in classes),
        "seconds_kept": sum(one["seconds_kept"] for one in classes),
        "seconds": sum(seconds.values()),
    }
    return {
        "folder": results.folder.name,
        "recipe": recipe.record(),
        "totals": totals,
        "counts": count_reasons(verdicts),
        "classes": classes,
        "measurements": measures.records(),
        "duplicates": _duplicates(verdicts),
        "failures": _failures(verdicts),
        "review": review_summary(results.folder),
    }, chosen


def _classes(verdicts: Sequence[Verdict], seconds: Mapping[str, float]) -> list[dict[str, Any]]:
    """What each class has and keeps, those with most clips first."""
    files, clips, kept = Counter(verdict.label for verdict in verdicts), Counter(), defaultdict(float)
    for verdict in verdicts:
        lengths = [clip.end - clip.start for clip in verdict.clips if clip.kept]
        clips[verdict.label] += len(lengths)
        kept[verdict.label] += sum(lengths, 0.0)
    return [
        {
            "label": label,
            "files": files[label],
            "seconds": seconds[label],
            "clips_kept": clips[label],
            "seconds_kept": kept[label],
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


def _write(path: Path, text: str) -> Path:
    with draft_of(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of files may be any bytes
    return path
