"""What `asva sample` takes from a sound before any frame is made: length, windows, motion, keyframes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from asva_interp.windows.over_time import check_inside, strengths_at, window_prompts
from asva_pipelines.localizers import described_localizer, hears_onsets
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.plan import Plan, Request
from asva_pipelines.make.read_inputs import naming, read_sound
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_audio import Track
    from asva_interp import ClipPlan


@dataclass(kw_only=True)
class Heard:
    """What the sound says about the video.

    Attributes:
        plan: Windows of the method.
        each: Further arguments of each window's call.
        curve: (t,) motion of every frame of the method; None where nothing hears it.
        seconds: (k,) of the keyframes that are shown; None where there are none.
        chosen_by: How.
        between: Windows of the interpolator.
        localizer: What heard the curve, in words; None where nothing did.
    """

    plan: ClipPlan
    each: list[dict[str, Any]] = field(default_factory=list)
    curve: np.ndarray | None = None
    seconds: np.ndarray | None = None
    chosen_by: str = ""
    between: ClipPlan | None = None
    localizer: str | None = None


def read_tracks(request: Request) -> tuple[Track, Track]:
    """The sound of the file, as long as the video, and the one that steers."""
    from asva_audio import Track

    if request.audio is None:
        raise RequestError("`--audio` must be given: a sound, or a video with sound.")
    sound = Track.of(read_sound(request.audio, request.start, request.duration))
    wanted = sound.duration if request.duration is None else _exact(request.duration)
    missing = float(wanted - sound.duration)
    if missing > 1e-3:
        what = "it begins again" if request.loop else f"the last {missing:.2f} s of the video are silent"
        note(f"Note: '{request.audio}' gives {float(sound.duration):.2f} s of sound: {what}.")
    sound = sound.fit(wanted, loop=request.loop)
    steering, official = request.control_audio, request.stereo is not None
    if steering is None and not official:
        return sound, sound
    option, path = ("--audio", request.audio) if steering is None else ("--control-audio", steering)
    control = Track.of(read_sound(path, request.start, float(wanted), option, as_released=official))
    if abs(missing := float(wanted - control.duration)) > 0.05 and not request.loop:
        note(f"Note: '{path}' ends {missing:.2f} s before the video, in which nothing is heard then.")
    return sound, control.fit(wanted, loop=request.loop)


def listen(plan: Plan, pipeline: Any, control: Track) -> Heard:
    """Windows, curve and keyframes."""
    from asva_interp import make_clip_plan
    from asva_pipelines.long.between import plan_between
    from asva_pipelines.long.compose import shared_frames

    duration, between, size = control.duration, None, plan.window_size
    fps, native = plan.fps, plan.native_fps
    if plan.interpolator is not None:
        further = plan.interpolator_settings
        between, given = plan_between(
            duration,
            fps,
            native_fps=further["fps"],
            window_size=further["num_frames"],
            ratio=plan.ratio,
            resampling=plan.request.resampling,
        )
        duration, fps = given / _exact(native), native
    prompts, strengths = (plan.request.options.get(option, ()) for option in ("--prompt-at", "--guidance-at"))
    count = math.ceil(duration * _exact(native)) + size
    curve, unrest = _curves(plan, pipeline, control, count)
    clip = make_clip_plan(
        duration,
        fps,
        native_fps=native,
        window_size=size,
        overlaps=shared_frames(size),
        unrest=unrest,
        borders=[round(second * native) for second, _ in prompts],
        resampling="nearest" if between is not None else plan.request.resampling,
    )
    heard = Heard(plan=clip, each=[{} for _ in clip.windows], between=between)
    if prompts:
        for arguments, prompt in zip(heard.each, window_prompts(prompts, clip, plan.request.prompt), strict=True):
            arguments["prompt"] = prompt
    for name in plan.method.options["--guidance"] if strengths else ():
        _over_windows(heard, name, strengths_at(strengths, np.arange(clip.padded_frames) / native))
    if "--words" in plan.method.options:
        _over_windows(heard, "amplitude", curve)
    if "keyframe" in plan.method.stages:
        _choose_keyframes(plan, heard, curve, control)
    if "keyframe" in plan.method.stages and plan.folder and curve is not None and "--curve" not in plan.request.options:
        heard.localizer = described_localizer(
            plan.folder, onsets=hears_onsets(plan.request.options.get("--localizer"), plan.folder)
        )
    if curve is not None:
        heard.curve = curve[: clip.native_frames]
    return heard


def _over_windows(heard: Heard, name: str, values: np.ndarray) -> None:
    """An argument with a value for each frame, cut into windows."""
    import torch

    for arguments, window in zip(heard.each, heard.plan.windows, strict=True):
        arguments[name] = torch.from_numpy(values[window.start : window.start + heard.plan.window_size].copy())


def _curves(plan: Plan, pipeline: Any, control: Track, count: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Motion heard or given, if the method follows it, and how bad each frame is to start a window at."""
    from asva_keyframe import loudness_curve, onset_curve, unrest
    from asva_keyframe.curve import pipeline_curve
    from asva_keyframe.shape import shape_curve
    from asva_pipelines.amplitude import frame_amplitude

    native, given = _exact(plan.native_fps), plan.request.options
    if "--curve" in given:
        curve = curve_given(plan, control.duration, plan.native_fps)
        curve = np.pad(curve, (0, max(count - len(curve), 0)))[:count]
    elif "--words" in plan.method.options:
        heard = control.piece(Fraction(0), count / native, pipeline.config.sample_rate).waveform[0]
        curve = frame_amplitude(heard, count, smoothing=pipeline.config.smoothing).numpy()
    elif hears_onsets(given.get("--localizer"), plan.folder) and "keyframe" in plan.method.stages:
        curve = onset_curve(control, count, native)
    else:
        curve = pipeline_curve(pipeline, control, count, window_size=plan.window_size, fps=native)
    bent = {name: given[f"--{name}"] for name in ("gain", "threshold", "attack", "release") if f"--{name}" in given}
    if bent and curve is None:
        raise ValueError(f"`--{next(iter(bent))}` must come with `--curve`: this model has no localizer to hear one.")
    if bent:
        curve = shape_curve(curve, plan.native_fps, **bent)
    return curve, unrest(loudness_curve(control, count, native) if curve is None else curve, native)


def _choose_keyframes(plan: Plan, heard: Heard, curve: np.ndarray | None, control: Track) -> None:
    from asva_pipelines.long.keyframes import kept_keyframes, window_keyframes

    clip, given = heard.plan, plan.request.options.get("--keyframes")
    rule = plan.arguments.get("selection", plan.settings["selection"])
    heard.chosen_by = "times given" if given is not None else rule
    if given is not None:
        given = _frames_at(given, plan, control.duration)
    elif curve is None and rule != "uniform":
        raise ValueError("`--keyframes` must be given: this model has no localizer to find them.")
    with naming("--keyframes", "keyframes"):
        chosen = window_keyframes(
            curve, clip, plan.settings["num_keyframes"], rule=rule, given=given, seed=plan.request.seed
        )
    for arguments, indices in zip(heard.each, chosen, strict=True):
        arguments["keyframe_indices"] = indices
    heard.seconds = kept_keyframes(clip, chosen) / float(clip.native_fps)


def check_times(plan: Plan, duration: Fraction) -> None:
    """Refuse times at which there is no picture, and curves of another length, before a model is loaded.

    Raises:
        ValueError: Naming the option.
    """
    given = plan.request.options
    for option in ("--prompt-at", "--guidance-at"):
        check_inside(given.get(option, ()), float(duration), option)
    if "--keyframes" in given:
        _frames_at(given["--keyframes"], plan, duration)
    if "--curve" in given:
        curve_given(plan, duration, plan.native_fps)


def _frames_at(times: list[float], plan: Plan, duration: Fraction) -> np.ndarray:
    from asva_interp import count_frames
    from asva_keyframe import keyframes_from_times

    with naming("--keyframes", "times"):
        return keyframes_from_times(times, count_frames(duration, plan.native_fps), plan.native_fps)


def curve_given(plan: Plan, duration: Fraction, fps: float) -> np.ndarray:
    """(t,) motion of a file, at a rate of frames."""
    from asva_keyframe.curve_files import fit_curve, read_curve_file

    path = plan.request.options["--curve"]
    with naming("--curve"):
        return fit_curve(read_curve_file(path), path, _exact(fps), duration)


def _exact(number: float) -> Fraction:
    return Fraction(number).limit_denominator(1_000_000)
