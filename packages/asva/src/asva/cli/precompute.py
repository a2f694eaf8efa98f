"""`asva data precompute`, `motion` and `stems`: what trainings need of videos, computed once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from asva.cli.options import Device, Gpus, Json, Model, RayAddress, Workers, Yes, parse_fields
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

OF_CLIPS, OF_RECIPE = ("data.",), ("data.", "init.", "taps", "hears", "ears")


def motion(
    folder: Annotated[Path, typer.Argument(help="Dataset, or folder of videos.")],
    raft: Annotated[Path, typer.Option(help="Weights of RAFT, such as raft-things.pth.")],
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Measure by RAFT how much every video moves, and store it beside the video, for --set data.motion_scores=beside.

    KeyVID's published recipes learn from these scores. What is stored already stays. Needs asva-keyframe\\[raft].

    Example:

      asva data motion datasets/AVSync15 --raft raft-things.pth
    """
    from asva_pipelines.loading.load import choose_device
    from asva_train.beside import store_motion_scores

    with Stages() as stages:
        failures = store_motion_scores(
            folder, raft, device=str(choose_device(device)), on_video=_shown(stages, "measuring motion")
        )
    _stored(folder, "scores", failures, json)


def stems(
    folder: Annotated[Path, typer.Argument(help="Dataset, or folder of videos.")],
    weights: Annotated[
        Path | None, typer.Option(help="HTDemucs checkpoint, such as 97d170e1-dbb4db15.th of CDX23; masks without it.")
    ] = None,
    json: Json = False,
) -> None:
    """Take every video's sound apart, and store the tracks beside it, for --set data.stems=beside.

    MTV's published recipes learn from these: speech.wav, effects.wav and music.wav in a folder of the video's name. A
    speech2.wav that you put there is the voice of a second person. What is stored already stays.

    Example:

      asva data stems datasets/faces --weights 97d170e1-dbb4db15.th
    """
    from asva_train.beside import store_stems

    with Stages() as stages:
        try:
            failures = store_stems(folder, weights, on_video=_shown(stages, "taking sounds apart"))
        except ImportError as error:  # a line for the user, not a defect
            raise RequestError(str(error)) from None
    _stored(folder, "tracks", failures, json)


def _shown(stages: Stages, name: str) -> Callable[[int, int], None]:
    def on_video(done: int, total: int) -> None:
        stages.stage(name, total)
        stages.step(done)

    return on_video


def _stored(folder: Path, what: str, failures: list[tuple[Path, str]], json: bool) -> None:
    for path, reason in failures:
        note(f"{path}: {reason}")
    if json:
        print_json({"folder": folder, "failures": [{"path": path, "reason": reason} for path, reason in failures]})
    else:
        typer.echo(f"The {what} are beside the videos in {folder}.")
    raise typer.Exit(1 if failures else 0)


def precompute(
    folder: Annotated[Path, typer.Argument(help="Folder of videos with sound.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the shards.")],
    model: Model = "tiny",
    recipe: Annotated[
        str | None,
        typer.Option(help="Training recipe whose clips and tokens are wanted; by default those of the model itself."),
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Pieces of each video.")] = 1,
    fields: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field of the clips (data.seed=3) or, with a recipe, init, taps, hears, ears."),
    ] = None,
    workers: Workers = 1,
    ray_address: RayAddress = None,
    gpus: Gpus = 1.0,
    device: Device = "auto",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Store latents, motion, and tokens of words, picture and sound, so that a training step runs the U-Net alone.

    The recipe, or else the model's method, says how the sound is heard: keyframe and interp, avsyncd, i2vd (not at
    all), audio-window (its taps), mtv (its tracks) or control (its ears; --model is the base). Train with --set
    data.kind=latents --set data.root=SHARDS; shards for another method, and encoders of another model, are refused.
    A run that was stopped goes on behind the last stored piece.

    Examples:

      asva data precompute raw --model tiny --output shards

      asva data precompute raw --model tiny --recipe tiny-avsyncd --output shards
    """
    from asva.cli.models import agree
    from asva_pipelines import resolve_model
    from asva_train import load_recipe
    from asva_train.model_clips import clips_of_model
    from asva_train.precompute import precompute as run

    own = recipe is not None and Path(model).is_dir()  # also a folder that a training has not finished
    home = Path(model) if own else resolve_model(model, confirm=lambda plan: agree(plan, yes=yes))
    values = parse_fields(fields, OF_CLIPS if recipe is None else OF_RECIPE)
    training = None if recipe is None else load_recipe(recipe, values | {"data.kind": "folder"})
    data = clips_of_model(folder, home, values) if training is None else replace(training.data, root=folder)
    with Stages() as stages:
        index = run(
            data,
            home,
            output,
            recipe=training,
            passes=passes,
            device=device,
            workers=workers,
            ray_address=ray_address,
            gpus=gpus,
            on_done=partial(stages.at, "encoding clips"),
        )
    counts = index["counts"]
    if counts["reasons"]:
        if not json:
            table(("not stored", ""), counts["reasons"].items())
        note(f"{counts['failed']} could not be stored; all reasons are in {output / 'failures.csv'}")
    if json:
        print_json(index)
    else:
        typer.echo(f"{counts['stored']} clips in {len(index['shards'])} shards in {output}")
    raise typer.Exit(0 if counts["stored"] else 1)
