"""The report of an evaluation: everything as JSON, and the same for reading as Markdown and HTML."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asva_data.report.markdown import to_markdown
from asva_data.report.paper import table_latex, table_svg, tables_of
from asva_eval.engine import Evaluation
from asva_eval.page import report_page
from asva_eval.protocol import protocol_record
from asva_eval.records import REFERENCE
from asva_eval.sections import sections_of
from asva_eval.shared_offset import offset_record
from asva_eval.tables import moved_entries, score_entries
from asva_weights.files import package_versions, staged, write_json

SCHEMA = 1
"""Version of the form of report.json; a larger one may have other fields."""


def write_report(
    evaluation: Evaluation,
    output: Path,
    *,
    command: list[str] | None = None,
    name: str = "",
    seed: int = 0,
    page: bool = True,
    examples: int = 3,
) -> dict[str, Any]:
    """Write ``report.json``, ``report.md`` and ``report.html``, and in ``tables/`` every table as LaTeX and SVG.

    Args:
        evaluation: What `evaluate` returned.
        output: Folder to write to.
        command: How the evaluation was called; that of this process if None.
        name: Name of the protocol.
        seed: Of the resampling.
        page: Whether ``report.html`` is written; without it, one of an earlier report is removed.
        examples: Best and worst clips of each system that it shows as videos, at most; 0 for none.

    Returns:
        The report as it stands in the JSON.

    Raises:
        ValueError: If ``examples`` is negative.
    """
    if examples < 0:
        raise ValueError(f"`examples` must be at least 0, got {examples}.")
    output = Path(output)
    report = make_report(evaluation, command=command, name=name, seed=seed)
    sections = sections_of(report)
    texts = {"report.md": to_markdown("Evaluation", sections)}
    texts |= {"report.html": report_page(report, output, examples=examples)} if page else {}
    for name, table in tables_of(sections):
        texts |= {f"tables/{name}.tex": table_latex(table), f"tables/{name}.svg": table_svg(table)}
    (output / "tables").mkdir(exist_ok=True)
    with staged(output / "report.json", *(output / name for name in texts)) as drafts:
        write_json(drafts[0], report)
        for draft, text in zip(drafts[1:], texts.values(), strict=True):
            draft.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of files may be any bytes
    kept = {output / name for name in texts}
    for path in (output / "report.html", *(output / "tables").iterdir()):
        if path not in kept:  # of an earlier report
            path.unlink(missing_ok=True)
    return report


def make_report(
    evaluation: Evaluation, *, command: list[str] | None = None, name: str = "", seed: int = 0
) -> dict[str, Any]:
    """The report as plain values."""
    protocol, networks = evaluation.protocol, evaluation.networks
    return {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv if command is None else command,
        "protocol": {"name": name, "digest": protocol.digest, "fields": protocol_record(protocol)},
        "folders": {side: str(folder) for side, folder in evaluation.folders.items()},
        "systems": evaluation.plan.systems,
        "weights": {name: _source(networks.given[name], networks.digests[name]) for name in _used(evaluation)},
        "seed": seed,
        "files": {side: _facts(evaluation, side) for side in (*evaluation.plan.systems, REFERENCE)},
        "unmatched": evaluation.plan.unmatched,
        "broken": [{"system": side, "clip": clip, "reason": reason} for side, clip, reason in evaluation.broken()],
        "scores": score_entries(evaluation, seed=seed),
        "offsets": {system: offset_record(one) for system, one in evaluation.offsets.items()},
        "without_offsets": moved_entries(evaluation, seed=seed),
        "clips": [_clip(evaluation, task) for task in evaluation.plan.tasks],
        "versions": package_versions(),
    }


def _used(evaluation: Evaluation) -> list[str]:
    """Names of the weights that some score was made with."""
    measured = [score for score in evaluation.protocol.scores if not evaluation.networks.missing(score.needs)]
    return sorted({name for score in measured for name in score.needs})


def _source(one: Any, digest: str) -> dict[str, str]:
    return {"path": str(one) if isinstance(one, str | Path) else type(one).__name__, "sha256": digest}


def _facts(evaluation: Evaluation, side: str) -> dict[str, Any]:
    """What the clips of one side are like, counted: frame rates, sizes, sound."""
    counts: dict[str, Counter] = {"fps": Counter(), "size": Counter(), "sample_rate": Counter()}
    total = 0
    for task in evaluation.plan.tasks:
        record = evaluation.store.load(side, task.key, lean=True) if _has(side, task) else None
        if record is None or "clip" not in record.head:
            continue
        head, total = record.head["clip"], total + 1
        counts["fps"][f"{head['fps']:.6g}"] += 1
        counts["size"][f"{head['width']}x{head['height']}"] += 1
        counts["sample_rate"][str(head["sample_rate"] or "no sound")] += 1
    return {"num_clips": total} | {name: dict(count.most_common()) for name, count in counts.items()}


def _has(side: str, task: Any) -> bool:
    return side == REFERENCE or side in task.generated


def _clip(evaluation: Evaluation, task: Any) -> dict[str, Any]:
    """Where the records of one clip lie, and the hashes of its files."""
    sides = {}
    for side in (REFERENCE, *task.generated):
        record = evaluation.store.load(side, task.key, lean=True)
        if record is not None:
            head = record.head
            sides[side] = {
                "file": head["file"],
                "start": head["start"],
                "sha256": head["sha256"],
                "record": str(record.path.relative_to(evaluation.store.root.parent)),
            }
    return {"key": task.key, "video": task.video, "class": task.class_name, "text": task.text, "sides": sides}
