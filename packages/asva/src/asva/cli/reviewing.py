"""`asva data report` and `asva data review`: a look at curated data, and a person's word on each clip."""

from __future__ import annotations

import getpass
import re
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli.options import Json
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import print_json, table
from asva_pipelines.notes import note

Curated = Annotated[Path, typer.Argument(help="Folder that `asva curate` wrote.")]


def report(
    folder: Curated,
    examples: Annotated[
        int, typer.Option(min=0, help="Playable examples of what was kept and of what each reason dropped.")
    ] = 3,
    json: Json = False,
) -> None:
    """Write report.html about curated data: counts, every measurement against its thresholds, playable examples.

    The page is one file that fetches nothing; report.json beside it holds the same numbers. Run it from where `asva
    curate` ran, if that was given a relative path.

    Example:

      asva data report curated
    """
    from asva_curate import write_report

    with Stages() as stages:
        path = write_report(folder, examples=examples, on_step=stages.at)
    if json:
        print_json({"report": path, "record": path.with_suffix(".json")})
    else:
        typer.echo(f"report in {path}")


def review(
    folder: Curated,
    reviewer: Annotated[str | None, typer.Option(help="Whose decisions these are; by default the user's name.")] = None,
    disputed: Annotated[bool, typer.Option("--disputed", help="Show only clips on which others disagree.")] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Show nothing; write reviewed.csv and say how far reviewers agree.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 for any that is free.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    json: Json = False,
) -> None:
    """Look through the kept clips on a page of this machine: keep, drop or trim each by a key.

    Each decision is at once on the disk, below review/, and the same command goes on behind the last one.

    Its end, or --merge, writes reviewed.csv: what more than half of the reviewers keep, cut to what all of these keep.

    `asva data prepare --table` reads it; `asva curate --again --reviewed --shards` makes shards of it.

    Examples:

      asva data review curated --reviewer ann

      asva data review curated --merge
    """
    from asva_curate import merge_reviews, review_summary
    from asva_pages import Session, serve_review

    if not merge:
        session = Session(folder, reviewer or _user(), only_disputed=disputed)
        try:
            serve_review(session, port=port, on_ready=lambda address: _say(address, session, browser, err=json))
        finally:
            session.close()
    clips = sum(clip.kept for verdict in merge_reviews(folder) for clip in verdict.clips)
    table_file, summary = folder / "reviewed.csv", review_summary(folder)
    if json:
        return print_json({"clips": clips, "table": table_file, "reviews": summary})
    _agreement(summary)
    typer.echo(f"{clips} clips in {table_file}")


def _say(address: str, session: Any, browser: bool, *, err: bool) -> None:
    done = len(session.log.decisions.keys() & session.clips.keys())
    typer.echo(f"{len(session.clips)} clips, {done} decided by {session.log.reviewer}: {address}", err=err)
    note("The address holds a secret; it is of this machine alone. Ctrl-C ends the review.", quiet=True)
    if browser:
        webbrowser.open(address)


def _agreement(summary: dict[str, Any] | None) -> None:
    """How many clips each reviewer kept, and how far every two agree."""
    if summary is None:
        return note("nobody has decided anything yet")
    heads = ("reviewer", "kept", "dropped")
    table(heads, [tuple(str(one[head]) for head in heads) for one in summary["reviewers"]])
    for one in summary["agreement"]:
        if one["clips"]:
            kappa = "" if one["kappa"] is None else ", Cohen's kappa {kappa:.2f} [{low:.2f}, {high:.2f}]".format(**one)
            typer.echo("{first} and {second}: agree on {same:.1%} of {clips} clips".format(**one) + kappa)
    if summary["disputed"]:
        note(f"{summary['disputed']} clips are disputed: --disputed shows them to a third reviewer")


def _user() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return re.sub(r"[^\w.\-]", "_", name).lstrip(".-")[:64] or "reviewer"
