"""`asva data check` and `asva data prepare`: what a dataset lacks, and how raw videos become one."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asva.cli.options import Json
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_data import CheckReport

SHOWN = 10  # problems of one kind


class LayoutName(StrEnum):
    """Forms in which datasets lie on disk."""

    avsync15 = "avsync15"
    avsync48 = "avsync48"
    avsync_ac = "avsync-ac"
    landscapes = "landscapes"
    greatest_hits = "greatest-hits"
    vggss = "vggss"
    vggsound = "vggsound"
    folder = "folder"


def check(
    folder: Annotated[Path, typer.Argument(help="Folder of the dataset.")],
    layout: Annotated[LayoutName | None, typer.Option(help="Its form; by default the files tell.")] = None,
    min_seconds: Annotated[float, typer.Option(min=0.0, help="Seconds that picture and sound must last.")] = 2.0,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every file to its end; headers alone otherwise.")
    ] = False,
    mute: Annotated[bool, typer.Option("--mute", help="Videos without sound are fine.")] = False,
    motion_scores: Annotated[Path | None, typer.Option(help="Folder of .npy files, one for each video.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every problem, not ten of a kind.")] = False,
    json: Json = False,
) -> None:
    """Say what is missing or broken in a dataset; the exit code is 1 if training on it would go wrong.

    Example:

      asva data check --deep datasets/AVSync15
    """
    from asva_data import check_dataset

    with Stages() as stages:
        report = check_dataset(
            folder,
            layout=layout.value if layout else None,
            min_seconds=min_seconds,
            sound=not mute,
            deep=deep,
            motion_scores=motion_scores,
            on_file=lambda done, total, path: stages.at("looking at videos", done, total),
        )
    if json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        _print(report, None if every else SHOWN)
    raise typer.Exit(0 if report.ok else 1)


def _print(report: CheckReport, most: int | None) -> None:
    """Problems by kind, at most so many of each, the fatal ones first; then the counts."""
    from asva_data.listing import printable

    kinds: dict[tuple[bool, str], list[str]] = {}
    for problem in report.problems:
        kinds.setdefault((problem.fatal, problem.kind), []).append(problem.message)
    for (fatal, kind), messages in sorted(kinds.items(), key=lambda item: not item[0][0]):
        typer.echo(f"{'problem' if fatal else 'remark'}: {kind} ({len(messages)})")
        shown = messages[:most]
        typer.echo("".join(f"  {printable(message)}\n" for message in shown), nl=False)
        if len(shown) < len(messages):
            typer.echo(f"  and {len(messages) - len(shown)} more; --all shows them")
    rows = [(split, count, report.usable[split]) for split, count in report.videos.items()]
    table(("split", "videos", "usable"), rows)
    typer.echo(
        f"layout {report.layout}, {len(report.classes)} classes: {'fit to use' if report.ok else 'not fit to use'}"
    )


def prepare(
    raw: Annotated[Path, typer.Argument(help="Folder of raw videos, at any depth.")],
    out: Annotated[Path, typer.Argument(help="Folder of the dataset; it is made if only its last part is missing.")],
    table_file: Annotated[
        Path | None,
        typer.Option(
            "--table", help="A .csv or .jsonl of id, start, end, label; without it every video, by its folder."
        ),
    ] = None,
    layout: Annotated[LayoutName, typer.Option(help="Form to write.")] = LayoutName.avsync15,
    test_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of each class that goes to the test.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another draw of the test.")] = 0,
    json: Json = False,
) -> None:
    """Turn raw videos, or parts of them, into a dataset. Nothing is downloaded; what was looked for is said.

    A stopped run goes on where it was. The table may be vggsound.csv, or the clips.csv of `asva curate`.

    Example:

      asva data prepare --table clips.csv raw datasets/mine
    """
    from asva_data import prepare_dataset, read_wanted, wanted_from_folder
    from asva_data.listing import printable

    if layout in (LayoutName.folder, LayoutName.vggsound):
        raise RequestError(f"`--layout` must be one with train.txt and test.txt, got {layout.value}.")
    with Stages() as stages:
        wanted = wanted_from_folder(raw) if table_file is None else read_wanted(table_file)
        stages.stage("cutting videos", max(1, len(wanted)))
        done = prepare_dataset(
            wanted,
            raw,
            out,
            layout=layout.value,
            test_share=test_share,
            seed=seed,
            on_video=lambda count, total, name: stages.step(count),
        )
    for item, reason in done.refused[:SHOWN]:
        note(f"{printable(item.id)}: {reason}")
    if done.refused:
        note(f"{len(done.refused)} of {len(wanted)} could not be made; all reasons are in {out / 'refused.jsonl'}")
    if json:
        refused = [{"id": item.id, "reason": reason} for item, reason in done.refused]
        print_json({"folder": out, "videos": done.videos, "made": done.made, "refused": refused})
    else:
        counts = ", ".join(f"{len(names)} {split}" for split, names in done.videos.items())
        typer.echo(f"{counts} in {out} ({done.made} written now)")
    raise typer.Exit(0 if any(done.videos.values()) else 1)


def split(
    folder: Annotated[Path, typer.Argument(help="Folder of the dataset, whose videos lie in videos/CLASS.")],
    layout: Annotated[LayoutName | None, typer.Option(help="Its form; by default the files tell.")] = None,
    test_share: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Of each class, where no list is there yet; at least one video.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another draw of the test.")] = 0,
    json: Json = False,
) -> None:
    """Tell which videos are for training and which for the test; draw it once where no list says so.

    The draw is written to train.txt and test.txt, which training and `asva bench` keep to. Parts of one recording stay
    together.

    Example:

      asva data split --test-share 0.1 datasets/mine
    """
    from asva_data import split_dataset

    report = split_dataset(folder, layout=layout.value if layout else None, test_share=test_share, seed=seed)
    if json:
        print_json(asdict(report))
        return
    names = sorted({name for classes in report.classes.values() for name in classes})
    rows = [(name, *(classes.get(name, 0) for classes in report.classes.values())) for name in names]
    table(("class", *report.classes), [*rows, ("all", *(sum(c.values()) for c in report.classes.values()))])
    if report.unlisted:
        note(f"{report.unlisted} videos are in no list: nothing takes them.")
    lists = " and ".join(f"{name}.txt" for name in report.classes)
    typer.echo(f"layout {report.layout}; {lists} {'written now' if report.drawn else 'as they were'}")
