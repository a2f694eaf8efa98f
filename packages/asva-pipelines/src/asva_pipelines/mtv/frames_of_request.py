"""Frames by MTV: tracks or a mix, pictures at any time, all of the video in one call."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from asva_audio import Track, load_audio, load_demucs
from asva_interp.windows.over_time import check_inside
from asva_pipelines.make.at_once import given_pictures, plan_clip, report_steps, told_of_pictures
from asva_pipelines.make.devices import settle, spare
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.made import Made
from asva_pipelines.make.plan import Plan
from asva_pipelines.make.read_inputs import naming
from asva_pipelines.make.record import named_file, over_time, scalars
from asva_pipelines.make.stages import Stages
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_audio import Audio
    from asva_interp import ClipPlan


def make_frames(plan: Plan, stages: Stages, load: Callable[..., Any], output: Path) -> Made:
    """See :func:`asva_pipelines.make.frames.make_frames`."""
    del output
    stages.stage("reading pictures and sound")
    arguments, clip = _inputs(plan)
    stages.stage("planning")
    plan = settle(plan, num_frames=arguments["num_frames"])
    stages.stage("loading the model")
    request = plan.request
    pipeline = load(plan.folder, method="mtv", **request.place)
    spare(pipeline, plan.choice)
    stages.stage("taking the sound apart" if arguments["audio"] is not None else "listening")
    result = pipeline(
        prompt=request.prompt,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        callback_on_step_end=report_steps(stages, plan),
        **plan.arguments,
        **arguments,
    )
    if result.demixed_by == "masks":
        note("Note: masks took the sound apart, approximately. Pass --speech and so on, or --demix WEIGHTS.")
    sound = Track(np.atleast_2d(np.asarray(result.waveform)), result.sample_rate)
    return Made(
        request=plan,
        frames=clip.resample(result.frames),
        plan=clip,
        sound=sound.fit(clip.duration),
        settings=scalars(pipeline.config),
        device=str(pipeline._execution_device),
        dtype=str(pipeline.dtype),
        predicted=0 if plan.choice is None else plan.choice.prediction.peak,
        tell=lambda: _told(plan, result),
    )


def _inputs(plan: Plan) -> tuple[dict[str, Any], ClipPlan]:
    """Sounds and pictures, and how long the video is."""
    request, fps = plan.request, plan.settings["fps"]
    files = {"audio": request.audio, **request.tracks}
    heard: dict[str, Any] = {name: None if path is None else _sound(path, plan, name) for name, path in files.items()}
    longest = max(Track.of(sound).duration for sound in heard.values() if sound is not None)
    clip = plan_clip(plan, request.duration or longest, fps)
    check_inside(request.options.get("--prompt-at", ()), float(clip.duration), "--prompt-at")
    # The sound is as long as the frames made, and the video may end within the last of them.
    num_frames = max(clip.native_frames, math.ceil(clip.duration * clip.native_fps))
    arguments = {
        **heard,
        **given_pictures(plan, num_frames, fps),
        "prompt_at": request.options.get("--prompt-at", ()),
        "demixer": _demixer(request.demix),
        "num_frames": num_frames,
    }
    return arguments, clip


def _sound(path: Path, plan: Plan, name: str) -> Audio:
    with naming(f"--{name}"):
        return load_audio(path, sample_rate=None, mono=False, start=plan.request.start, duration=plan.request.duration)


def _demixer(weights: Path | None) -> Any:
    if weights is None:
        return None
    try:
        with naming("--demix"):
            return load_demucs(weights)
    except ImportError as error:  # a line for the user, not a defect
        raise RequestError(str(error)) from None


def _told(plan: Plan, result: Any) -> dict[str, Any]:
    """What the record says of this method alone."""
    request = plan.request
    inputs = {**request.tracks, "demix": request.demix}
    return {
        "inputs": {name: named_file(path) for name, path in inputs.items() if path is not None}
        | {"frames": told_of_pictures(plan)},
        "tracks": {"taken_apart_by": result.demixed_by, "approximate": result.demixed_by == "masks"},
        "windows": [list(window) for window in result.windows],
        **({"over_time": times} if (times := over_time(request)) else {}),
        "given_frames": list(result.given_frames),
    }
