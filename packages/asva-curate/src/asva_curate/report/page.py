"""report.html: counts, spreads against thresholds, playable examples, duplicates, reviews, classes, recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asva_curate.report.examples import KEPT
from asva_curate.report.histogram import draw_histogram
from asva_curate.report.measures import figure
from asva_data.report.blocks import (
    Bar,
    Block,
    Card,
    Code,
    Fold,
    Grid,
    Heading,
    Items,
    Number,
    Paragraph,
    Section,
    Strong,
    Swatch,
    Table,
)
from asva_data.report.html import to_html

DUPLICATES = 500
"""Duplicates which are listed."""
MEASUREMENTS = (
    Swatch("blue"),
    " kept, ",
    Swatch("amber"),
    " dropped for whatever reason, ",
    Swatch("red"),
    " threshold. The end bars hold what lies beyond the 1st and 99th percentile and the thresholds. Names in "
    "parentheses are measured, and no rule asks for them.",
)
EXAMPLES = (
    "Drawn by chance, at most one of a file; the same results give the same examples. Numbers are those that the rules "
    "look at; red ones are out of bounds."
)


def report_page(report: Mapping[str, Any], cards: Mapping[str, Sequence[Card]]) -> str:
    """The page about a curated set; it holds no script.

    Args:
        report: As `summarize` returns it.
        cards: Examples by group.
    """
    totals = report["totals"]
    facts = [
        [Strong(f"{totals['files_kept']} of {totals['files']}"), " files with a kept clip"],
        [Strong(totals["clips_kept"]), " clips"],
        [Strong(f"{span(totals['seconds_kept'])} of {span(totals['seconds'])}"), " of video"],
    ]
    spreads = [_spread(one) for one in report["measurements"]]
    examples = [block for group, found in cards.items() for block in (Heading(group), Grid(found))]
    sections = [
        Section("counts", "Counts", _counts(report["counts"])),
        Section("measurements", "Measurements", [Paragraph(MEASUREMENTS), Grid(spreads)]),
        Section("examples", "Examples", [Paragraph(EXAMPLES), *examples] if examples else []),
        Section("duplicates", "Duplicates", _duplicates(report["duplicates"])),
        Section("failures", "Unreadable files", _failures(**report["failures"])),
        Section("review", "Review", _review(**report["review"]) if report["review"] else []),
        Section("classes", "Classes", _classes(report["classes"])),
        Section("recipe", "Recipe", _recipe(report["recipe"])),
    ]
    said = [section for section in sections if section.blocks]
    return to_html(report["folder"], said, note=f"by the recipe {report['recipe']['name']}", facts=facts, script=False)


def _counts(counts: Mapping[str, Mapping[str, int]]) -> list[Block]:
    tables = []
    for kind, reasons in counts.items():
        total, rows = sum(reasons.values()), []
        for name, count in sorted(reasons.items(), key=lambda one: one[1], reverse=True):
            bar = Bar(count / total, "blue" if name == KEPT else "amber")
            rows.append((name, Number(count), Number(f"{100 * count / total:.1f} %"), bar))
        tables.append(Table((kind, Number(f"of {total}"), Number("share"), ""), rows))
    return [Paragraph("Every file, window and clip is counted once, under the first rule that objected."), Grid(tables)]


def _spread(one: Mapping[str, Any]) -> Card:
    points, words = one["percentiles"], f"{one['count']} {one['of']}"
    words += f", {one['missing']} without a value" if one["missing"] else ""
    words += f"; p5 {figure(points['5'])}, median {figure(points['50'])}, p95 {figure(points['95'])}"
    words += "." if one["min"] is None else f". At least {figure(one['min'])}: {one['below']} below."
    words += "" if one["max"] is None else f" At most {figure(one['max'])}: {one['above']} above."
    note = [f"{one['stat']} of {one['measure']}" if one["stat"] else "", one["unit"]]
    return Card(one["name"], [draw_histogram(one), Paragraph(words, quiet=True)], ": ".join(filter(None, note)))


def _duplicates(found: Sequence[Mapping[str, str]]) -> list[Block]:
    if not found:
        return []
    places = {"duplicate": "the set", "test-set": "a test set"}
    rows = [(one["path"], one["same"], one["twin"], places[one["kind"]]) for one in found[:DUPLICATES]]
    blocks: list[Block] = [Table(("dropped", "same", "as", "in"), rows)]
    more = f"The first {DUPLICATES}; all stand in report.json."
    blocks += [Paragraph(more)] if len(found) > DUPLICATES else []
    return [Fold(f"{len(found)} file{'s' * (len(found) > 1)}", blocks, open=len(found) <= 20)]


def _failures(count: int, first: Sequence[Mapping[str, str]]) -> list[Block]:
    if not count:
        return []
    some = f"; the first {len(first)} are" if count > len(first) else ""
    items = [[Code(one["path"]), f" {one['reason']}"] for one in first]
    return [Paragraph(f"{count} file{'s' * (count > 1)} could not be read{some}:"), Items(items)]


def _review(reviewers: Sequence[Mapping], agreement: Sequence[Mapping], disputed: int) -> list[Block]:
    rows = [(one["reviewer"], Number(one["kept"]), Number(one["dropped"])) for one in reviewers]
    blocks: list[Block] = [Table(("reviewer", Number("kept"), Number("dropped")), rows)]
    for one in agreement:
        words = f"{one['first']} and {one['second']} both decided {one['clips']} clips"
        if one["same"] is not None:
            words += f" and agree on {100 * one['same']:.1f} % of them"
        if one["kappa"] is not None:
            interval = f"95 % interval {one['low']:.2f} to {one['high']:.2f}"
            words += f" (Cohen's kappa {one['kappa']:.2f}, {interval})"
        if one["overlap"] is not None:
            words += f"; what both keep overlaps by {100 * one['overlap']:.0f} %"
        blocks.append(Paragraph(f"{words}."))
    return [*blocks, Paragraph(f"{disputed} clips are disputed.")] if disputed else blocks


def _classes(classes: Sequence[Mapping[str, Any]]) -> list[Block]:
    head = ("class", *map(Number, ("files", "video", "clips kept", "video kept")))
    rows = []
    for one in classes:
        cells = (one["files"], span(one["seconds"]), one["clips_kept"], span(one["seconds_kept"]))
        rows.append((one["label"] or "(none)", *map(Number, cells)))
    name = f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}"
    return [Fold(name, [Table(head, rows)], open=len(classes) <= 30)]


def _recipe(recipe: Mapping[str, Any]) -> list[Block]:
    head = ("rule", "asks for", Number("at least"), Number("at most"))
    rows = [
        (name, rule["measure"], Number(figure(rule["min"])), Number(figure(rule["max"])))
        for name, rule in recipe["filters"].items()
    ]
    return [Table(head, rows), *(Paragraph([f"{part}: ", Code(recipe[part])]) for part in ("windows", "cuts", "whole"))]


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
