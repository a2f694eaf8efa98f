"""Keyframes of a file: found, described in a record, and written beside their motion curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from asva_pipelines.curves import Curve, choose, from_motion, from_sound, origin_of
from asva_pipelines.loading.hub import Confirm
from asva_pipelines.make.drawings import plot_keyframes
from asva_weights.files import package_versions, staged, write_json


def find_keyframes(
    source: Path,
    *,
    origin: str | None = None,
    rule: str | None = None,
    num: int | None = None,
    times: list[float] | None = None,
    start: float = 0.0,
    duration: float | None = None,
    shape: Mapping[str, float] | None = None,
    model: str = "tiny",
    localizer: str | None = None,
    seed: int = 0,
    confirm: Confirm = None,
) -> tuple[dict[str, Any], Curve]:
    """Keyframes of a sound or a video, as a record, and the motion curve that they were chosen from.

    Args:
        source: A sound, or a video.
        origin: ``motion`` of the pictures or ``sound``; what the file holds decides without it.
        rule: How keyframes are chosen; the model's own rule for a sound, else ``even``.
        num: How many in each window.
        times: Their seconds, in place of a rule.
        start: Second of the source at which to begin.
        duration: Seconds to look at; all without it.
        shape: Arguments of :func:`asva_keyframe.shape_curve` such as ``gain``.
        model: Whose localizer hears a sound.
        localizer: ``model`` or ``onsets``; None leaves it to what the model has.
        seed: Of rules that draw.
        confirm: Asked before anything is downloaded.
    """
    origin = origin or origin_of(source)
    if origin == "motion":
        curve = from_motion(source, start, duration)
    else:
        curve = from_sound(source, start, duration, model, confirm, localizer)
    if shape:
        from asva_keyframe.shape import shape_curve

        curve = replace(curve, values=shape_curve(curve.values, curve.fps, **shape))
    chosen_by = rule or curve.rule
    indices = choose(curve, num=num or curve.num_keyframes, rule=chosen_by, times=times, seed=seed)
    record = {
        "source": source.name,
        "start": start,
        "from": origin,
        "localizer": curve.localizer,
        "chosen_by": chosen_by if times is None else "times given",
        "seed": seed,
        "fps": curve.fps,
        "keyframes": {"indices": indices, "seconds": indices / curve.fps},
        "motion_curve": curve.values,
    }
    return record | ({"bent": dict(shape)} if shape else {}) | {"versions": package_versions()}, curve


def write_keyframes(record: Mapping[str, Any], curve: Curve, output: Path | None, plot: Path | None) -> None:
    """Write what :func:`find_keyframes` found as .json or .csv, and as a picture; both or neither."""
    from asva_keyframe.curve_files import write_curve_csv

    targets = [path for path in (output, plot) if path is not None]
    if not targets:
        return
    indices = record["keyframes"]["indices"]
    with staged(*targets) as drafts:
        if output is not None and output.suffix.lower() == ".csv":
            write_curve_csv(drafts[0], curve.values, indices, curve.fps)
        elif output is not None:
            write_json(drafts[0], dict(record))
        if plot is not None:
            plot_keyframes(
                drafts[-1],
                curve.values,
                indices,
                fps=curve.fps,
                waveform=None if curve.audio is None else curve.audio.waveform.numpy(),
                sample_rate=None if curve.audio is None else curve.audio.sample_rate,
                title=f"{record['source']}: motion ({record['from']}) and keyframes ({record['chosen_by']})",
            )
