"""What ways share that make all of a video in one call: its length, pictures at times, and how far it is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from asva_interp import ClipPlan, make_clip_plan
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.plan import Plan
from asva_pipelines.make.read_inputs import naming, read_picture
from asva_pipelines.make.record import named_file
from asva_pipelines.make.stages import Stages


def plan_clip(plan: Plan, duration: float | Fraction, native_fps: float) -> ClipPlan:
    """Length and rate of a video of some seconds, whose frames are made at a rate of their own."""
    return make_clip_plan(
        duration,
        plan.fps,
        native_fps=native_fps,
        window_size=plan.settings["num_frames"],
        resampling=plan.request.resampling,
    )


def given_pictures(plan: Plan, num_frames: int, fps: float) -> dict[str, Any]:
    """The first frame and pictures by their seconds, as ``image`` and ``frames`` of the pipeline's call.

    Args:
        plan: Of the video.
        num_frames: That are made.
        fps: Of them, per second.

    Raises:
        RequestError: If a picture is for a time outside the video.
    """
    request, size = plan.request, (plan.arguments["height"], plan.arguments["width"])
    pictures: dict[float, np.ndarray] = {}
    for seconds, path in request.frames.items():
        if seconds < 0 or round(seconds * fps) >= num_frames:
            raise RequestError(
                f"`--frame` must be at 0 to {(num_frames - 1) / fps:g} s, in the clip, got {seconds:g} s."
            )
        with naming("--frame"):
            pictures[seconds] = read_picture(path, size)
    first = None if request.image is None else read_picture(request.image, size, request.image_start)
    return {"image": first, "frames": pictures or None}


def told_of_pictures(plan: Plan) -> dict[str, Any]:
    """Files of the pictures by their seconds, for the record."""
    return {f"{seconds:g}": named_file(path) for seconds, path in plan.request.frames.items()}


def report_steps(stages: Stages, plan: Plan) -> Any:
    """A callback of the pipeline that tells each step."""

    def on_step(stage: str, step: int, total: int, latents: Any) -> None:
        del latents
        stages.stage(plan.method.stages[stage], total)
        stages.step(step + 1)

    return on_step
