"""`asva data`: make data to train on and to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asva.cli.options import Seed, check_targets
from asva.cli.progress import Stages

if TYPE_CHECKING:
    import numpy as np

    from asva_data.synthetic import SyntheticClip

data_app = typer.Typer(no_args_is_help=True, help="Make data to train on and to look at.")


@data_app.callback()
def data() -> None:
    """Make data to train on and to look at."""


@data_app.command(no_args_is_help=True)
def synth(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; it is made if need be.")],
    num: Annotated[int, typer.Option("--num", "-n", min=1, help="How many clips.")] = 16,
    seed: Seed = 0,
    first: Annotated[int, typer.Option(min=0, help="Index of the first clip.")] = 0,
    size: Annotated[int, typer.Option(min=32, help="Height and width in pixels, even.")] = 64,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace clips that exist.")] = False,
) -> None:
    """Write clips of the synthetic world: an mp4 each, and a JSON with everything that is true about it.

    The same seed and index give the same clip. The mask of the moving object is in the JSON as lengths of runs that
    are in turn outside and inside, over all frames, rows and columns.

    Example:

      asva data synth --num 16 --seed 7 clips
    """
    from asva_data.synthetic import SyntheticWorld

    world = SyntheticWorld(seed, size=size)
    names = [f"{seed}-{index:06d}" for index in range(first, first + num)]
    if folder.is_dir():
        check_targets([folder / f"{name}{ending}" for name in names for ending in (".json", ".mp4")], overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    with Stages() as stages:
        stages.stage("drawing clips", num)
        for done, name in enumerate(names):
            _write(folder, name, world[first + done], seed, first + done)
            stages.step(done + 1)
    typer.echo(folder)


def _write(folder: Path, name: str, clip: SyntheticClip, seed: int, index: int) -> None:
    from asva.outputs import staged, write_json
    from asva_data import write_video

    with staged(folder / f"{name}.json", folder / f"{name}.mp4") as (record, video):
        write_video(video, clip.frames, fps=clip.fps, waveform=clip.waveform, sample_rate=clip.sample_rate)
        write_json(record, {"seed": seed, "index": index} | _truth(clip))


def _truth(clip: SyntheticClip) -> dict[str, Any]:
    return {
        "class_name": clip.class_name,
        "caption": clip.caption,
        "event_times": clip.event_times,
        "event_labels": list(clip.event_labels),
        "motion_score": clip.motion_score,
        "moving_object": clip.moving_object,
        "scene": clip.scene,
        "mask": {"shape": list(clip.mask.shape), "runs": _runs(clip.mask)},
        "fps": clip.fps,
        "sample_rate": clip.sample_rate,
    }


def _runs(mask: np.ndarray) -> list[int]:
    """Lengths of runs of equal values, the first of them (perhaps empty) of False."""
    import numpy as np

    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths
