"""Frames by rule, streamed: the photograph's own size, any length, no more memory for more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from asva_interp import make_clip_plan
from asva_keyframe.shape import shape_curve
from asva_pipelines.make.made import Made
from asva_pipelines.make.plan import Plan
from asva_pipelines.make.prepare_audio import check_times, curve_given, read_tracks
from asva_pipelines.make.read_inputs import naming, read_picture
from asva_pipelines.make.record import named_file, over_time
from asva_pipelines.make.stages import Stages
from asva_pipelines.memory.prediction import predict
from asva_pipelines.notes import note
from asva_pipelines.warp.framing import Framing
from asva_pipelines.warp.parts import Part
from asva_pipelines.warp.rule import ATTACK, RELEASE, motion_of, warped

STILL = 0.05  # of the strongest motion; below it nobody sees any


def make_frames(plan: Plan, stages: Stages, load: Callable[..., Any], output: Path) -> Made:
    """See :func:`asva_pipelines.make.frames.make_frames`; the model that `load` would load is none."""
    del load, output
    stages.stage("reading picture and sound")
    request = plan.request
    photograph = read_picture(request.image or Path(), (0, 0), request.image_start)
    framing = Framing.of(photograph.shape[:2], request.size)
    picture = framing.crop(photograph)
    sound, control = read_tracks(request)
    check_times(plan, control.duration)
    stages.stage("listening")
    parts = parts_of(request.options)
    clip = make_clip_plan(control.duration, plan.fps, native_fps=plan.fps, window_size=plan.window_size)
    curves = _curves(plan, control, parts, clip.num_frames)
    if curves.max() < STILL:
        note("Note: nothing begins or gets louder in this sound, so that nothing will move.")
    stages.stage("finding what moves")
    frames = warped(picture, framing, parts, curves, request.seed)
    option = next((name for name in ("--part", "--region", "--box", "--motion") if name in request.options), "--image")
    with naming(option, "region"):
        first = next(frames)  # what does not fit the picture is said before the file is begun

    def drawn() -> Iterator[np.ndarray]:
        stages.stage("frames", clip.num_frames)
        for number, frame in enumerate(chain([first], frames), start=1):
            stages.step(number)
            yield frame

    size: dict[str, Any] = dict(zip(("height", "width"), framing.size, strict=True))
    return Made(
        request=replace(plan, arguments=plan.arguments | size),
        frames=drawn(),
        plan=clip,
        sound=sound.fit(clip.duration, loop=request.loop),
        tell=lambda: _told(plan, parts, curves),
        device="cpu",
        dtype="uint8",
        predicted=predict(None, **size).peak,
        curve=curves.max(axis=0),
    )


def parts_of(options: dict[str, Any]) -> tuple[Part, ...]:
    """What moves: every `--part`, or one of `--region` or `--box` that moves by `--motion`."""
    region = options.get("--region", options.get("--box"))
    alone = Part(region=region, **options.get("--motion", {}))
    return tuple(options.get("--part", (alone,)))


def _curves(plan: Plan, control: Any, parts: tuple[Part, ...], count: int) -> np.ndarray:
    """(n, t) motion of each part, from the sound or from a file."""
    given = plan.request.options
    shape = {name: given[f"--{name}"] for name in ("gain", "threshold", "attack", "release") if f"--{name}" in given}
    if "--curve" not in given:
        return motion_of(control, parts, count, plan.fps, shape)
    curve = np.zeros(count, np.float32)
    read = curve_given(plan, control.duration, plan.fps)[:count]
    curve[: len(read)] = read
    return np.tile(shape_curve(curve, plan.fps, **shape), (len(parts), 1))


def _told(plan: Plan, parts: tuple[Part, ...], curves: np.ndarray) -> dict[str, Any]:
    """What moved, and how."""
    moved = [vars(part) | {"region": _region(part)} for part in parts]
    told: dict[str, Any] = {"model": {"localizer": "onsets"}, "motion": "by rule, not generated", "parts": moved}
    if times := over_time(plan.request):
        told["over_time"] = times
    shape = {"attack": ATTACK, "release": RELEASE} if "--curve" not in plan.request.options else {}
    return told | {"shape": shape, "motion_fps": plan.fps, "motion_curve": curves.max(axis=0)}


def _region(part: Part) -> Any:
    return named_file(part.region) if isinstance(part.region, Path) else part.region or "found"
