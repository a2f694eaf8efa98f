"""The stages of `asva sample`: read, load, make the frames, write everything or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva.cli import options
from asva.cli.inputs import read_picture, read_sound
from asva.cli.plan import Plan, Request, make_plan
from asva.cli.progress import Stages
from asva.cli.record import make_record, scalars
from asva.cli.terminal import gigabytes, note
from asva.outputs import picture_file, staged, write_json

if TYPE_CHECKING:
    from asva_audio import Audio

FIRST_STAGE = "listening"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came out, and of which pipeline.

    Attributes:
        result: What the last pipeline answered.
        settings: Of the pipeline that made the frames.
        device: That it ran on.
        dtype: Of its weights.
        localizer: Whether it had one.
        predicted: Bytes that were expected to be needed at most, by any pipeline.
        picture: File of the first frame, where a model made it.
    """

    result: Any
    settings: dict[str, Any]
    device: str
    dtype: str
    localizer: bool
    predicted: int
    picture: bytes | None = None


def run(request: Request, targets: dict[str, Path], *, overwrite: bool) -> tuple[dict[str, Any], dict[str, Path]]:
    """Make the video and everything beside it; returns the record and the files, the video last."""
    from asva.models import measured_peak, reset_peak

    plan = make_plan(request)
    targets = _name_strip(targets, plan, overwrite)
    reset_peak()
    with Stages() as stages:
        stages.stage("reading picture and sound")
        size = (plan.arguments["height"], plan.arguments["width"])
        picture = None if request.image is None else read_picture(request.image, size)
        sound = read_sound(request.audio, request.start, plan.seconds)
        made = _make(plan, picture, sound, stages)
        stages.stage("writing")
        record = make_record(plan, made)
        record["memory"] = {"predicted_bytes": made.predicted, "measured_bytes": measured_peak(made.device)}
        record["seconds"] = dict(stages.seconds)
        _write(plan, targets, record, made)
    return record, targets


def _name_strip(targets: dict[str, Path], plan: Plan, overwrite: bool) -> dict[str, Path]:
    """The strip's name says what it shows, which only the method knows."""
    if "strip" not in targets:
        return targets
    shows = "keyframes" if "keyframe" in plan.method.stages else "frames"
    strip = targets["video"].with_name(f"{targets['video'].stem}.{shows}.png")
    options.check_targets([strip], overwrite)
    return targets | {"strip": strip}


def _make(plan: Plan, picture: np.ndarray | None, sound: Audio, stages: Stages) -> Made:
    """First frame, frames, frames between: each model is let go before the next is loaded."""
    from asva.models.memory import release_memory

    file, needed = None, 0
    if plan.image_model is not None:
        picture, needed = _first_frame(plan, stages)
        file = picture_file(picture)
        release_memory()
    made = _frames(plan, picture, sound, stages)
    if plan.interpolator is not None:
        release_memory()
        between, more = _between(plan, made.result, sound, stages)
        made = Made(**vars(made) | {"result": between, "predicted": max(made.predicted, more)})
    return Made(**vars(made) | {"picture": file, "predicted": max(made.predicted, needed)})


def _first_frame(plan: Plan, stages: Stages) -> tuple[np.ndarray, int]:
    from asva.models.text_to_image import make_picture

    request = plan.request
    stages.stage("first frame")
    return make_picture(
        plan.image_model,
        request.prompt,
        seed=request.seed,
        device=request.device,
        dtype=request.dtype,
        offload=request.offload,
    )


def _frames(plan: Plan, picture: np.ndarray | None, sound: Audio, stages: Stages) -> Made:
    from asva.models import load_pipeline, predicted_peak

    request = plan.request
    stages.stage("loading the model")
    pipeline = load_pipeline(plan.folder or "", method=plan.method.name, **_place(request))
    height, width = plan.arguments["height"], plan.arguments["width"]
    predicted = predicted_peak(
        pipeline, height=height, width=width, num_frames=plan.num_frames, offload=request.offload
    )
    note(f"predicted peak memory: {gigabytes(predicted)}", quiet=True)
    stages.stage(FIRST_STAGE)
    result = pipeline(
        image=picture,
        audio=sound,
        prompt=request.prompt,
        generator=_generator(request),
        callback_on_step_end=_report(stages, plan.method.stages),
        **plan.arguments,
    )
    return Made(
        result=result,
        settings=scalars(pipeline.config),
        device=str(pipeline._execution_device),
        dtype=str(pipeline.dtype),
        localizer=getattr(pipeline, "localizer", None) is not None,
        predicted=predicted,
    )


def _between(plan: Plan, result: Any, sound: Audio, stages: Stages) -> tuple[Any, int]:
    """All frames from those of the method, by the second stage of another model."""
    from asva.models import load_pipeline, predicted_peak
    from asva.pipelines.methods import METHODS

    request = plan.request
    stages.stage("loading the interpolator")
    pipeline = load_pipeline(plan.interpolator, method="keyvid", **_place(request))
    height, width = result.frames.shape[1:3]
    predicted = predicted_peak(pipeline, height=height, width=width, offload=request.offload)
    steps = request.options.get("--interp-steps")
    ratio = round(plan.interpolator_settings["fps"] / result.fps)
    between = pipeline.interpolate(
        result.frames,
        ratio * np.arange(len(result.frames)),
        sound,
        request.prompt,
        generator=_generator(request),
        interp_num_inference_steps=steps,
        callback_on_step_end=_report(stages, METHODS["keyvid"].stages),
    )
    return between, predicted


def _place(request: Request) -> dict[str, str]:
    return {"device": request.device, "dtype": request.dtype, "offload": request.offload}


def _generator(request: Request) -> Any:
    import torch

    return torch.Generator("cpu").manual_seed(request.seed)


def _report(stages: Stages, words: Any) -> Any:
    def on_step(stage: str, step: int, total: int, latents: Any) -> None:
        del latents
        stages.stage(words[stage], total)
        stages.step(step + 1)

    return on_step


def _write(plan: Plan, targets: dict[str, Path], record: dict[str, Any], made: Made) -> None:
    from asva.cli.drawings import draw_plot, draw_strip
    from asva_data import write_video

    result = made.result
    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        write_video(
            draft["video"],
            result.frames,
            fps=result.fps,
            waveform=result.waveform,
            sample_rate=result.sample_rate,
            crf=plan.request.crf,
        )
        write_json(draft["json"], record)
        if "image" in draft:
            draft["image"].write_bytes(made.picture)
        if "plot" in draft:
            draw_plot(draft["plot"], result, plan.request.audio.name)
        if "strip" in draft:
            draw_strip(draft["strip"], result)
