"""`asva keyframes`: the motion curve of a sound or a video, and the frames chosen from it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asva.cli import options
from asva.cli.terminal import note, table

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
    num: Annotated[int, typer.Option("--num", min=2, help="How many keyframes.")] = 12,
    times: options.Keyframes = None,
    start: options.Start = 0.0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Save curve and keyframes here.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Draw curve, keyframes and waveform here.")] = None,
    model: options.Model = "tiny",
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
) -> None:
    """Show where a video would have its keyframes.

    The curve says how much moves in each frame: measured by optical flow in a video, predicted by the model's
    localizer from a sound. Keyframes lie at its peaks, in its valleys, and in the gaps. Two seconds from --start are
    looked at.

    Examples:

      asva keyframes bounce.wav

      asva keyframes clip.mp4 --from motion --json clip.json --plot clip.png

      asva keyframes bounce.wav --keyframes 0.2,0.9,1.4
    """
    from asva.cli.curves import choose, from_motion, from_sound, origin_of

    targets = {"json": json_path, "plot": plot_path}
    options.check_targets([path for path in targets.values() if path is not None], overwrite)
    seconds = None if times is None else options.parse_times(times)
    kind = origin_of(source) if origin is Origin.auto else str(origin)
    read = from_motion if kind == "motion" else from_sound
    curve, fps, audio, usual = read(source, start, model, yes)
    indices = choose(curve, fps, num=num, rule=str(rule or usual), times=seconds, seed=seed)
    chosen_by = "times given" if seconds is not None else str(rule or usual)
    record = {
        "source": source.name,
        "start": start,
        "from": kind,
        "chosen_by": chosen_by,
        "seed": seed,
        "fps": fps,
        "keyframes": {"indices": indices, "seconds": indices / fps},
        "motion_curve": curve,
    }
    _write({name: path for name, path in targets.items() if path is not None}, record, audio)
    _print(curve, indices, fps)
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
    from asva.outputs import package_versions, plot_keyframes, staged, write_json

    if not targets:
        return
    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        if "json" in draft:
            write_json(draft["json"], record | {"versions": package_versions()})
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
