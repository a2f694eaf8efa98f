"""Frames by LTX-2: all of the video in one call, at a rate that the network knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asva_audio import Audio
from asva_baselines.ltx2.versions import has_distilled
from asva_pipelines.make.at_once import given_pictures, plan_clip, report_steps, told_of_pictures
from asva_pipelines.make.devices import settle, spare
from asva_pipelines.make.made import Made
from asva_pipelines.make.plan import Plan
from asva_pipelines.make.prepare_audio import read_tracks
from asva_pipelines.make.record import scalars
from asva_pipelines.make.stages import Stages
from asva_pipelines.notes import note

_TRAINED = (24, 25, 30, 60)  # frames per second


def native_rate(fps: float) -> float:
    """The rate at which a video of a wanted one is made: that, if the network knows it, else one that holds its frames.

    >>> [native_rate(fps) for fps in (25, 29.97, 6, 15, 7)]
    [25, 29.97, 24, 30, 24]
    """
    if any(abs(fps - rate) < 0.1 for rate in _TRAINED):
        return fps
    return next((rate for rate in _TRAINED if rate % fps == 0), _TRAINED[0])


def make_frames(plan: Plan, stages: Stages, load: Callable[..., Any], output: Path) -> Made:
    """See :func:`asva_pipelines.make.frames.make_frames`."""
    del output
    stages.stage("reading pictures and sound")
    sound, control = read_tracks(plan.request)
    clip = plan_clip(plan, sound.duration, plan.arguments.get("fps") or native_rate(plan.fps))
    arguments = given_pictures(plan, clip.native_frames, float(clip.native_fps))
    stages.stage("planning")
    plan = replace(plan, arguments=plan.arguments | {"fps": float(clip.native_fps)})
    plan = settle(plan, num_frames=clip.native_frames)
    stages.stage("loading the model")
    request = plan.request
    pipeline = load(plan.folder, method="ltx2", device=request.device, dtype=request.dtype, offload=request.offload)
    spare(pipeline, plan.choice)
    one_stage = pipeline.latent_upsampler is not None and not has_distilled(pipeline.transformer)
    if one_stage and plan.arguments.get("route", pipeline.config.route) == "guided":
        note("Note: the distilled LoRA is not in the model's folder: one stage at full size instead of two.")
    result = pipeline(
        audio=Audio(torch.from_numpy(np.ascontiguousarray(control.waveform)), control.sample_rate),
        prompt=request.prompt,
        num_frames=clip.native_frames,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        callback_on_step_end=report_steps(stages, plan),
        **plan.arguments,
        **arguments,
    )
    return Made(
        request=plan,
        frames=clip.resample(result.frames),
        plan=clip,
        sound=sound.fit(clip.duration),
        settings=scalars(pipeline.config),
        device=str(pipeline._execution_device),
        dtype=str(pipeline.dtype),
        predicted=0 if plan.choice is None else plan.choice.prediction.peak,
        tell=lambda: {"inputs": {"frames": told_of_pictures(plan)}, "num_frames_made": clip.native_frames},
    )
