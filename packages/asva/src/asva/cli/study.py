"""`asva study`: people compare the videos of systems on a page."""

from __future__ import annotations

import webbrowser
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options
from asva.cli.evaluate import named_folders, named_paths
from asva.cli.terminal import print_json, table
from asva_pipelines.notes import note


def study(
    folder: Annotated[Path, typer.Argument(help="Folder of the study; made if it is missing.")],
    generated: Annotated[
        list[str] | None,
        typer.Option("--generated", "-g", help="Folder of videos with sound, or NAME=FOLDER; two or more, once."),
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(help="NAME=TEXT; may be repeated. By default quality, consistency and synchronization."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Pairs of videos that each rater compares.")] = 30,
    checks: Annotated[int, typer.Option(min=0, help="Pairs with a spoilt video among them, to check attention.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of order, sides and checks.")] = 0,
    results: Annotated[bool, typer.Option("--results", help="Show no page; print what was answered.")] = False,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in, by the secret in the address.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    json: options.Json = False,
) -> None:
    """Serve a page on which people compare two systems' videos at a time: blind, in random order, with sound.

    Several may rate at once, each under a name that goes on where it stopped. The order, the sides and the questions
    are written down when the study begins; the same command without folders goes on with it.

    Its end (Ctrl-C), or --results, writes answers.csv, results.json and ratings-QUESTION.csv for `asva validate`.
    Raters who failed more than a third of their checks of attention do not count.

    Examples:

      asva study people -g mine=runs/mine -g theirs=runs/theirs --trials 40

      asva study people --host 0.0.0.0 --port 8000

      asva study people --results
    """
    from asva_pages import Raters, begin_study, listen, serve_study, write_study_results

    if generated:
        asked = dict(named_paths(question or [], "--question", "TEXT"))
        begin_study(folder, named_folders(generated), questions=asked, trials=trials, checks=checks, seed=seed)
    if not results:
        raters = Raters(folder)
        with listen(host, port) as listening:
            serve_study(raters, listening, host, on_ready=partial(_say, browser=browser, err=json))
    found = write_study_results(folder, seed=seed)
    if json:
        print_json(found)
    else:
        _print(found)
    note(f"wrote {folder / 'answers.csv'}, results.json and a table of ratings per question", quiet=True)


def _say(address: str, *, browser: bool, err: bool) -> None:
    typer.echo(address, err=err)
    note(
        "The address holds a secret: give it to raters alone. Ctrl-C ends the study and writes its results.", quiet=True
    )
    if browser:
        webbrowser.open(address)


def _print(found: dict[str, Any]) -> None:
    """A row per system and question, and one per rater."""
    from asva_eval.wording import interval

    rows = [
        (question, name, interval(one["win_rate"]), interval(one["strength"]), one["win_rate"]["votes"])
        for question, told in found["questions"].items()
        for name, one in told["systems"].items()
    ]
    table(("question", "system", "win rate (chance 0.5)", "Bradley-Terry strength", "comparisons"), rows)
    heads = ("rater", "answered", "asked", "unplayable", "checks", "passed", "counts")
    table(heads, [tuple(one[head] for head in heads) for one in found["raters"]])
