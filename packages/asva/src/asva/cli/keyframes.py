"""`asva keyframes`: the motion curve of a sound or a video, and the frames chosen from it."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asva.cli import options
from asva.cli.models import agree
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.targets import check_targets
from asva_pipelines.notes import note

if TYPE_CHECKING:
    import numpy as np


class Origin(StrEnum):
    """What the curve is taken from."""

    auto = "auto"
    motion = "motion"
    sound = "sound"


def keyframes(
    source: Annotated[Path, typer.Argument(help="A sound, or a video.")],
    origin: Annotated[
        Origin, typer.Option("--from", help="motion: optical flow of the pictures; sound: the localizer's guess.")
    ] = Origin.auto,
    rule: Annotated[
        options.Rule | None,
        typer.Option(help="How keyframes are chosen from the curve: the model's own rule for a sound, else even."),
    ] = None,
    num: Annotated[
        int | None, typer.Option("--num", min=2, help="How many keyframes in each window of the model (2 s).")
    ] = None,
    times: options.Keyframes = None,
    start: options.Start = 0.0,
    duration: Annotated[float | None, typer.Option(min=0.0, help="Seconds to look at; all without it.")] = None,
    gain: options.Gain = None,
    threshold: options.Threshold = None,
    attack: options.Attack = None,
    release: options.Release = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Save curve and keyframes here, .json or .csv.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw curve, keyframes and waveform here.", rich_help_panel=options.OUTPUT),
    ] = None,
    json: options.Json = False,
    model: options.Model = "tiny",
    localizer: options.LocalizerOption = None,
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
) -> None:
    """Show where a video would have its keyframes.

    The curve says how much moves in each frame: measured by optical flow in a video, predicted by the model's
    localizer from a sound. Keyframes lie at its peaks, in its valleys, and in the gaps. What --output writes may be
    edited and given to asva sample as --curve and --keyframes.

    Examples:

      asva keyframes bounce.wav

      asva keyframes clip.mp4 --from motion --output clip.json --plot clip.png

      asva keyframes bounce.wav --keyframes 0.2,0.9,1.4

      asva keyframes bounce.wav --threshold 0.2 --release 0.1 --output curve.csv
    """
    from asva_pipelines.keyframe_files import find_keyframes, write_keyframes

    if duration is not None and duration <= 0:
        raise RequestError(f"`--duration` must be a positive number of seconds, got {duration:g}.")
    if output is not None and output.suffix.lower() not in (".json", ".csv"):
        raise RequestError(f"`--output` must end in .json or .csv, got '{output}'.")
    targets = [path for path in (output, plot) if path is not None]
    check_targets(targets, overwrite)
    shape = {"gain": gain, "threshold": threshold, "attack": attack, "release": release}
    record, curve = find_keyframes(
        source,
        origin=None if origin is Origin.auto else str(origin),
        rule=None if rule is None else str(rule),
        num=num,
        times=None if times is None else options.parse_times(times),
        start=start,
        duration=duration,
        shape={name: value for name, value in shape.items() if value is not None},
        model=model,
        localizer=None if localizer is None else str(localizer),
        seed=seed,
        confirm=partial(agree, yes=yes),
    )
    write_keyframes(record, curve, output, plot)
    for path in targets:
        note(f"wrote {path}", quiet=True)
    heard = record["localizer"]
    if json:
        print_json(record)
    else:
        _print(curve.values, record["keyframes"]["indices"], curve.fps)
    note(f"motion {'measured in the picture' if heard is None else f'predicted from the sound by {heard}'}", quiet=True)


def _print(curve: np.ndarray, indices: np.ndarray, fps: float) -> None:
    """A row per keyframe, with a bar for its motion."""
    low, high = float(curve.min()), float(curve.max())
    rows = []
    for number, index in enumerate(indices.tolist(), start=1):
        bar = "#" * round(20 * (float(curve[index]) - low) / max(high - low, 1e-9))
        rows.append((number, index, f"{index / fps:.3f}", f"{curve[index]:.3f}", bar))
    table(("keyframe", "frame", "second", "motion", ""), rows)
