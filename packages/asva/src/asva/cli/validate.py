"""`asva validate`: how far scores agree with people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options
from asva.cli.evaluate import named_paths
from asva.cli.terminal import print_json, table
from asva_pipelines.notes import note


def validate(
    scores: Annotated[Path, typer.Option("--scores", "-s", help="report.json of asva evaluate.")],
    ratings: Annotated[
        Path,
        typer.Option(
            "--ratings",
            "-r",
            help="CSV or JSONL with clip, system, rating and rater, SyncReward-Data's rows, or overall_scores.json of "
            "AV-Sync Evaluator.",
        ),
    ],
    columns: Annotated[
        list[str] | None, typer.Option(help="NAME=COLUMN where clip, system, rating or rater are called otherwise.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals.")] = 0,
    json: options.Json = False,
) -> None:
    """Compare the scores of a report with people's ratings of the same videos.

    Rank correlations over videos with an interval over clips and one over systems, the correlation of the systems'
    means, and the share of pairs of one clip that a score orders as people do (chance 0.5). The ceiling is what the
    raters agree among each other.

    Examples:

      asva validate --scores report/report.json --ratings ratings.csv

      asva validate --scores report/report.json --ratings mos.csv --columns clip=video --columns rating=mos
    """
    from asva_eval.ratings import read_ratings
    from asva_eval.validate import read_report, validate

    report = read_report(scores)
    found = validate(report, read_ratings(ratings, dict(named_paths(columns or [], "--columns"))), seed=seed)
    if json:
        print_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    from asva_eval.wording import interval, number

    rows = []
    for one in found["scores"]:
        if one["reason"]:
            rows.append((one["title"], one["reason"], "", "", "", ""))
            continue
        spans = (interval(one[name]) for name in ("spearman", "by_system", "kendall"))
        rows.append((one["title"], *spans, number(one["systems"]), interval(one["accuracy"])))
    table(("score", "Spearman, by clip", "by system", "Kendall", "of systems", "pairs (chance 0.5)"), rows)
    ceiling = "" if found["ceiling"] is None else f"; they agree among each other at {number(found['ceiling'])}"
    note(f"{found['num_videos']} videos, {found['num_raters']} raters{ceiling}", quiet=True)
    if found["unknown"]:
        note(f"{len(found['unknown'])} rated videos are not in the report, such as {found['unknown'][0]}.")
