"""`asva keyframes`: the motion curve of a sound or a video, and the frames chosen from it."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asva.cli import options
from asva.cli.models import agree
from asva.cli.terminal import table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

if TYPE_CHECKING:
    import numpy as np

    from asva_audio import Audio


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
        Path | None, typer.Option("--output", "-o", help="Save curve and keyframes here, .json or .csv.")
    ] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="The same, as JSON.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Draw curve, keyframes and waveform here.")] = None,
    model: options.Model = "tiny",
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

      asva keyframes clip.mp4 --from motion --json clip.json --plot clip.png

      asva keyframes bounce.wav --keyframes 0.2,0.9,1.4

      asva keyframes bounce.wav --threshold 0.2 --release 0.1 --output curve.csv
    """
    from asva_pipelines.curves import choose, from_motion, from_sound, origin_of

    if duration is not None and duration <= 0:
        raise RequestError(f"`--duration` must be a positive number of seconds, got {duration:g}.")
    if output is not None and output.suffix.lower() not in (".json", ".csv"):
        raise RequestError(f"`--output` must end in .json or .csv, got '{output}'.")
    targets = {"output": output, "json": json_path, "plot": plot_path}
    options.check_targets([path for path in targets.values() if path is not None], overwrite)
    seconds = None if times is None else options.parse_times(times)
    kind = origin_of(source) if origin is Origin.auto else str(origin)
    read = from_motion if kind == "motion" else from_sound
    curve = read(source, start, duration, model, partial(agree, yes=yes))
    bent = {"gain": gain, "threshold": threshold, "attack": attack, "release": release}
    bent = {name: value for name, value in bent.items() if value is not None}
    if bent:
        from asva_keyframe.shape import shape_curve

        curve = replace(curve, values=shape_curve(curve.values, curve.fps, **bent))
    chosen_by = str(rule or curve.rule)
    indices = choose(curve, num=num or curve.num_keyframes, rule=chosen_by, times=seconds, seed=seed)
    record = {
        "source": source.name,
        "start": start,
        "from": kind,
        "chosen_by": "times given" if seconds is not None else chosen_by,
        "seed": seed,
        "fps": curve.fps,
        "keyframes": {"indices": indices, "seconds": indices / curve.fps},
        "motion_curve": curve.values,
    } | ({"bent": bent} if bent else {})
    _write({name: path for name, path in targets.items() if path is not None}, record, curve.audio)
    _print(curve.values, indices, curve.fps)
    note(f"motion {'measured in the picture' if kind == 'motion' else 'predicted from the sound'}", quiet=True)


def _print(curve: np.ndarray, indices: np.ndarray, fps: float) -> None:
    """A row per keyframe, with a bar for its motion."""
    low, high = float(curve.min()), float(curve.max())
    rows = []
    for number, index in enumerate(indices.tolist(), start=1):
        bar = "#" * round(20 * (float(curve[index]) - low) / max(high - low, 1e-9))
        rows.append((number, index, f"{index / fps:.3f}", f"{curve[index]:.3f}", bar))
    table(("keyframe", "frame", "second", "motion", ""), rows)


def _write(targets: dict[str, Path], record: dict[str, Any], audio: Audio | None) -> None:
    from asva_keyframe.curve_files import write_curve_csv
    from asva_pipelines import plot_keyframes
    from asva_weights import package_versions, staged, write_json

    if not targets:
        return
    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        for name in {"json", "output"} & draft.keys():
            if draft[name].suffix.lower() == ".csv" and name == "output":
                write_curve_csv(draft[name], record["motion_curve"], record["keyframes"]["indices"], record["fps"])
            else:
                write_json(draft[name], record | {"versions": package_versions()})
        if "plot" in draft:
            plot_keyframes(
                draft["plot"],
                record["motion_curve"],
                record["keyframes"]["indices"],
                fps=record["fps"],
                waveform=None if audio is None else audio.waveform.numpy(),
                sample_rate=None if audio is None else audio.sample_rate,
                title=f"{record['source']}: motion ({record['from']}) and keyframes ({record['chosen_by']})",
            )
    for path in targets.values():
        note(f"wrote {path}", quiet=True)
