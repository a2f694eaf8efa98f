"""`asva offset`: how late or early the sound of videos is, and copies in which it fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asva.cli import options
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.targets import check_targets
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_metrics import OffsetReading


def offset(
    videos: Annotated[list[Path], typer.Argument(help="Videos with sound.")],
    fix: Annotated[bool, typer.Option("--fix", help="Write copies in which the sound is moved.")] = False,
    together: Annotated[
        bool, typer.Option("--together", help="Move all by the offset that they share: one system made them.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the copies; without it clip_synced.mp4 beside clip.mp4."),
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Read how late or early the sound of videos is.

    Up to 0.6 s either way, with an interval and the probability of being right to 60 ms; where several shifts fit about
    as well, nothing is claimed. --fix copies picture and sound as they are, packet by packet, and changes times alone.

    Examples:

      asva offset clip.mp4

      asva offset runs/mine/*.mp4 --together --fix --output fixed
    """
    from asva_eval.offset import copy_targets, read_offsets

    if together and len(videos) < 2:
        raise RequestError(f"`--together` must have two videos or more, got {len(videos)}.")
    if output is not None and not fix:
        raise RequestError("`--output` must come with --fix, got no --fix.")
    if fix:
        if output is not None and not output.exists() and output.parent.is_dir():
            output.mkdir()
        check_targets(list(copy_targets(videos, output).values()), overwrite)
    with Stages() as stages:
        found = read_offsets(videos, on_video=lambda done: stages.at("reading offsets", done, len(videos)))
    copies = found.fix(output, together=together) if fix else {}
    if json:
        print_json(found.record() | {"copies": {str(path): str(copy) for path, copy in copies.items()}})
        return
    rows = [(path, *_cells(one)) for path, one in found.videos.items()]
    table(("video", "sound comes", "95 %, late", "right to 60 ms", ""), rows + _last(found.shared))
    for copy in copies.values():
        note(f"wrote {copy}", quiet=True)
    if fix and len(copies) < len(found.videos):
        note(f"{len(found.videos) - len(copies)} of {len(found.videos)} were not copied: their offset cannot be read.")


def _last(shared: OffsetReading | None) -> list[tuple[str, ...]]:
    return [] if shared is None else [("all together", *_cells(shared))]


def _cells(one: OffsetReading) -> tuple[str, str, str, str]:
    if one.num_clips == 0:
        return "?", "", "", one.reason
    where = (
        f"{abs(one.offset):.2f} s {'late' if one.offset < 0 else 'early'}" if abs(one.offset) >= 0.005 else "in time"
    )
    interval = f"[{-one.high:+.2f}, {-one.low:+.2f}]"
    share = f"{100 * one.probability:.0f} % (chance {100 * one.chance:.0f} %)"
    return (f"? ({where})" if one.reason else where), interval, share, one.reason
