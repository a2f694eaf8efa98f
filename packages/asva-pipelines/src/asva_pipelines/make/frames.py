"""Frames in the common way: a picture and a sound, window after window, and the frames between by another model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva_interp.windows.over_time import window_prompts
from asva_pipelines.loading.memory import release_memory
from asva_pipelines.long.between import FramesBetween
from asva_pipelines.long.folder import PartFolder
from asva_pipelines.long.video import LongVideo
from asva_pipelines.make.devices import settle, spare
from asva_pipelines.make.drawings import picture_file
from asva_pipelines.make.made import Made
from asva_pipelines.make.plan import Plan
from asva_pipelines.make.prepare_audio import check_times, listen, read_tracks
from asva_pipelines.make.read_inputs import read_picture
from asva_pipelines.make.record import job, scalars, told_of_windows
from asva_pipelines.make.stages import Stages
from asva_pipelines.method import OF_SECOND_STAGE
from asva_pipelines.methods import METHODS
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_audio import Track

FIRST_STAGE = "listening"


def make_frames(plan: Plan, stages: Stages, load: Callable[..., Any], output: Path) -> Made:
    """Read, listen, and make frames when they are asked for: each model is let go before the next is loaded.

    Args:
        plan: Of which nothing is loaded yet.
        stages: Is told what is being done.
        load: Loads a model, see :func:`asva_pipelines.load_pipeline`.
        output: The video; finished windows of a long one lie beside it until everything is done.
    """
    stages.stage("reading picture and sound")
    size = (plan.arguments["height"], plan.arguments["width"])
    request = plan.request
    picture = None if request.image is None else read_picture(request.image, size, request.image_start)
    sound, control = read_tracks(plan.request)
    check_times(plan, control.duration)
    stages.stage("planning")
    plan = settle(plan)
    file, needed = None, 0
    if plan.image_model is not None:
        picture, needed = _first_frame(plan, stages)
        file = picture_file(picture)
        release_memory()
    made, video = _windows(plan, picture, control, stages, output, load)
    made.picture, made.predicted = file, max(made.predicted, needed)
    if plan.interpolator is not None:
        _between(plan, made, video, control, stages, load, output)
    made.sound = sound.fit(made.plan.duration, loop=plan.request.loop)
    return made


def _first_frame(plan: Plan, stages: Stages) -> tuple[np.ndarray, int]:
    from asva_pipelines.loading.text_to_image import make_picture

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


def _windows(
    plan: Plan,
    picture: np.ndarray | None,
    control: Track,
    stages: Stages,
    output: Path,
    load: Callable[..., Any],
) -> tuple[Made, LongVideo]:
    request = plan.request
    stages.stage("loading the model")
    pipeline = load(plan.folder or "", method=plan.method.name, **request.place)
    spare(pipeline, plan.choice)
    stages.stage(FIRST_STAGE)
    heard = listen(plan, pipeline, control)
    device, dtype = str(pipeline._execution_device), str(pipeline.dtype)
    store = None
    if len(heard.plan.windows) > 1:
        folder = output.with_name(f"{output.name}.part")
        store = PartFolder(folder, job(plan, picture, control, heard, device, dtype), resume=request.resume)
        if store.found:
            note(f"{store.found} of {len(heard.plan.windows)} windows were finished before: going on.", quiet=True)
    video = LongVideo(
        pipeline,
        heard.plan,
        picture,
        control,
        prompt=request.prompt,
        seed=request.seed,
        arguments=plan.arguments,
        each=heard.each,
        anchor=request.anchor,
        store=store,
    )
    video.callback = _report(stages, plan.method.stages, video)
    resumed = 0 if store is None else store.found
    made = Made(
        request=plan,
        frames=video.frames(),
        plan=heard.plan,
        sound=control,
        tell=lambda: told_of_windows(made, heard, video, resumed),
        settings=scalars(pipeline.config) | _scheduler(pipeline),
        device=device,
        dtype=dtype,
        predicted=_predicted(plan),
        curve=heard.curve,
        keyframes=heard.seconds,
        between=heard.between,
        finish=(lambda: None) if store is None else store.remove,
    )
    return made, video


def _scheduler(pipeline: Any) -> dict[str, str]:
    """Whose steps are taken where the call names no sampler."""
    own = getattr(pipeline, "scheduler", None)
    return {} if own is None else {"scheduler": type(own).__name__}


def _predicted(plan: Plan) -> int:
    """Bytes that were expected to be needed; 0 where that was not worked out."""
    if plan.choice is not None:
        return plan.choice.prediction.peak
    if plan.folder is not None:
        return 0
    from asva_pipelines.memory.prediction import predict

    return predict(None, height=plan.arguments["height"], width=plan.arguments["width"]).peak


def _between(
    plan: Plan,
    made: Made,
    video: LongVideo,
    control: Track,
    stages: Stages,
    load: Callable[..., Any],
    output: Path,
) -> None:
    """All frames from those of the method, by the second stage of another model."""
    request, clip = plan.request, made.between
    folder = tempfile.TemporaryDirectory(prefix=".asva-", dir=output.parent)
    given = _gathered(made.frames, made.plan.num_frames, Path(folder.name, "given.npy"))
    video.pipeline = None
    release_memory()
    stages.stage("loading the interpolator")
    pipeline = load(plan.interpolator, method="keyvid", **request.place | {"lora": ()})
    between = FramesBetween(
        pipeline=pipeline,
        plan=clip,
        given=given,
        ratio=plan.ratio,
        track=control,
        prompts=window_prompts(request.options.get("--prompt-at", []), clip, request.prompt),
        seed=request.seed,
        arguments={name: request.options.get(option) for option, name in OF_SECOND_STAGE.items()},
    )
    between.callback = _report(stages, METHODS["keyvid"].stages, between)

    def frames() -> Iterator[np.ndarray]:
        with folder:
            yield from between.frames()

    made.plan, made.frames = between.plan, frames()


def _gathered(frames: Iterator[np.ndarray], count: int, file: Path) -> np.ndarray:
    """Frames that wait for the second model, in a file of their own."""
    first = next(frames)
    given = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(count, *first.shape))
    given[0] = first
    for index, frame in enumerate(frames, start=1):
        given[index] = frame
    return given


def _report(stages: Stages, words: Any, video: Any) -> Any:
    """Steps of a stage where there is one window, windows where there are more."""
    count = len(video.plan.windows)

    def on_step(stage: str, step: int, total: int, latents: Any) -> None:
        del latents
        if count == 1:
            stages.stage(words[stage], total)
            stages.step(step + 1)
        else:
            stages.stage("frames between, windows" if "interp" in words and stage == "between" else "windows", count)
            stages.step(video.window + (stage == "decode" and step + 1 == total))

    return on_step
