"""A benchmark's systems beside the figures of the papers: a row each, by the protocol of that paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from asva_data import Benchmark
from asva_data.report.blocks import Paragraph, Section, Table
from asva_data.report.markdown import to_markdown
from asva_data.settings import SettingsReader, strict
from asva_eval.engine import evaluate
from asva_eval.matching import MatchError
from asva_eval.protocol import Protocol, load_protocol
from asva_eval.records import REFERENCE
from asva_eval.report import write_report
from asva_eval.weights import Networks
from asva_eval.wording import figure
from asva_weights.files import staged, write_json

SQUARE = (256, 256)
"""Size of the published protocols, in place of which a dataset may have its own."""


@strict
class PublishedTable:
    """Figures of a table as a paper prints them.

    Attributes:
        source: Paper and table.
        dataset: Name of the layout.
        protocol: By which they were measured.
        scores: Names of the columns.
        systems: Figures by the system's name; None where there is none.
    """

    source: str
    dataset: str
    protocol: str
    scores: Annotated[tuple[str, ...], Field(min_length=1)]
    systems: dict[str, tuple[float | None, ...]]


def published_tables(dataset: str, protocol: str) -> list[PublishedTable]:
    """The tables of the papers that hold figures of a dataset by a protocol."""
    reader: SettingsReader[list[PublishedTable]] = SettingsReader(
        list[PublishedTable], files("asva_eval") / "published", word="table"
    )
    return [table for table in reader.load("figures") if (table.dataset, table.protocol) == (dataset, protocol)]


def check_benchmark(
    benchmark: Benchmark, systems: Mapping[str, Path], protocol: str | Path, weights: Mapping[str, Any] | None = None
) -> Protocol:
    """See that systems can be judged, before days are spent on another one.

    Returns:
        The protocol for this dataset, whose pictures may have a size of their own (TheGreatestHits).

    Raises:
        ProtocolError: If there is no such protocol.
        MatchError: If it takes other clips than the benchmark has, or a system lacks a clip.
        WeightsError: If weights are unknown or missing.
    """
    found = load_protocol(protocol)
    per_video = len(benchmark.clips) // len(benchmark.classes)
    if (found.clips, found.seconds) != (per_video, benchmark.seconds):
        raise MatchError(
            f"`protocol` must take {per_video} clips of {benchmark.seconds:g} s of each video, got {found.clips} of "
            f"{found.seconds:g} s."
        )
    for name, folder in systems.items():
        if missing := [clip.name for clip in benchmark.clips if not (folder / f"{clip.name}.mp4").is_file()]:
            raise MatchError(
                f"`{name}` must hold all {len(benchmark.clips)} clips, got {len(missing)} missing, such as "
                f"{folder / missing[0]}.mp4."
            )
    Networks(weights)
    return replace(found, size=benchmark.layout.size) if found.size == SQUARE else found


def judge_benchmark(
    benchmark: Benchmark,
    systems: Mapping[str, Path],
    output: Path,
    *,
    protocol: str | Path = "asva",
    command: list[str] | None = None,
    seed: int = 0,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate systems on a benchmark, and put their rows beside the published ones.

    The report of the evaluation is written too, see `asva_eval.write_report`.

    Args:
        benchmark: The clips.
        systems: Folder of each system, with files as `BenchmarkClip.name` says.
        output: Folder for ``rows.json``, ``rows.md`` and the report.
        protocol: Name or path.
        command: How it was called; that of this process if None.
        seed: Of the resampling.
        options: Of `asva_eval.evaluate`, such as ``weights``.

    Returns:
        What stands in ``rows.json``: ``scores`` with their titles, and ``rows`` with ``system``, ``source``, ``clips``
        and the figures of each score, as in the report or, of papers, as numbers.

    Raises:
        MatchError: If a system lacks a clip.
        ValueError: As `asva_eval.evaluate`.
    """
    exact = check_benchmark(benchmark, systems, protocol)
    result = evaluate(systems, benchmark.videos, output, protocol=exact, videos=benchmark.classes, **options)
    report = write_report(result, output, command=command, name=str(protocol), seed=seed)
    rows = _rows(report, published_tables(benchmark.layout.name, str(protocol)))
    rows |= {"dataset": benchmark.layout.name, "protocol": str(protocol), "digest": exact.digest}
    rows |= {"videos": len({clip.video for clip in benchmark.clips}), "published": benchmark.layout.counts.get("test")}
    with staged(output / "rows.json", output / "rows.md") as (data, words):
        write_json(data, rows)
        words.write_text(to_markdown("Benchmark", [_section(rows)]), encoding="utf-8")
    return rows


def _rows(report: dict[str, Any], tables: list[PublishedTable]) -> dict[str, Any]:
    """Scores that papers print, or all that were measured; rows of papers, then ours, then the true clips."""
    measured = {score["name"]: score for score in report["scores"] if "systems" in score}
    names = list(dict.fromkeys(name for table in tables for name in table.scores)) or list(measured)
    titles = {score["name"]: score["title"] for score in report["scores"]}
    rows: list[dict[str, Any]] = [
        {"system": system, "source": table.source, "clips": None, "figures": dict(zip(table.scores, row, strict=True))}
        for table in tables
        for system, row in table.systems.items()
    ]
    for system in (*report["systems"], REFERENCE):
        found = {name: score["systems"].get(system) for name, score in measured.items() if name in names}
        clips = report["files"][system]["num_clips"]
        kept = {name: _short(figures) for name, figures in found.items() if figures is not None}
        rows.append({"system": system, "source": "here", "clips": clips, "figures": kept})
    lacking = {s["name"]: s["not_measured"] for s in report["scores"] if "not_measured" in s and s["name"] in names}
    return {"scores": {name: titles[name] for name in names}, "rows": rows, "not_measured": lacking}


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in ("value", "low", "high", "num_clips", "reason") if name in figures}


def benchmark_cells(rows: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of the table, in words."""
    head = ("system", "source", *(title.split(",")[0] for title in rows["scores"].values()))
    return head, [
        (row["system"], row["source"], *(_cell(row["figures"].get(name)) for name in rows["scores"]))
        for row in rows["rows"]
    ]


def _cell(figures: Any) -> str:
    if figures is None:
        return "-"
    return figure(figures) if isinstance(figures, dict) else f"{figures:g}"


def other_list(rows: dict[str, Any]) -> str:
    """What to say where the test videos cannot be those of the papers; empty otherwise."""
    if rows["published"] in (None, rows["videos"]):
        return ""
    return (
        f"The published test of {rows['dataset']} has {rows['published']} videos and this one {rows['videos']}: "
        "the rows of papers are of other clips."
    )


def _section(rows: dict[str, Any]) -> Section:
    note = (
        f"{rows['dataset']} by the protocol {rows['protocol']}. Figures of papers are as printed; ours have 95 % "
        "intervals over videos. Distances depend on the number of clips: compare those of whole test sets alone."
    )
    return Section("rows", "Rows", [Paragraph([f"{note} {other_list(rows)}".strip()]), Table(*benchmark_cells(rows))])
