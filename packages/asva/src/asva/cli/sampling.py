"""The stages of `asva sample`: read, plan, load, make the frames and write them as they come; everything or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva.cli import options
from asva.cli.devices import settle, spare
from asva.cli.inputs import read_picture
from asva.cli.listening import Heard, check_times, listen, read_tracks
from asva.cli.plan import Plan, Request, make_plan
from asva.cli.progress import Stages
from asva.cli.record import job, make_record, scalars
from asva.cli.terminal import note
from asva.cli.watching import Watched, frames_to_show
from asva.outputs import picture_file, staged, write_json

if TYPE_CHECKING:
    from asva.long import ClipPlan, LongVideo, Track

FIRST_STAGE = "listening"


@dataclass(kw_only=True)
class Made:
    """What makes the frames, and what is known of it.

    Attributes:
        frames: Of the video, one by one.
        plan: Of the video.
        video: Of the method, whose windows drift.
        heard: Curve and keyframes.
        settings: Of the pipeline that made the frames.
        device: That it ran on.
        dtype: Of its weights.
        localizer: Whether it had one.
        predicted: Bytes that were expected to be needed at most, by any pipeline.
        picture: File of the first frame, where a model made it.
        resumed: Windows that an interrupted run had finished.
    """

    frames: Iterator[np.ndarray]
    plan: ClipPlan
    video: LongVideo
    heard: Heard
    settings: dict[str, Any] = field(default_factory=dict)
    device: str = ""
    dtype: str = ""
    localizer: bool = False
    predicted: int = 0
    picture: bytes | None = None
    resumed: int = 0


def run(
    request: Request,
    targets: dict[str, Path],
    *,
    overwrite: bool,
    stages: Stages | None = None,
    load: Callable[..., Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Make the video and everything beside it; returns the record and the files, the video last.

    Args:
        request: What is wanted.
        targets: Names of the files.
        overwrite: Whether they may exist.
        stages: Is told what is being done; what it raises ends the work and leaves no file.
        load: In place of :func:`asva.models.load_pipeline`, such as one that remembers what it has loaded.
    """
    from asva.models import reset_peak

    plan = make_plan(request)
    targets = _name_strip(targets, plan, overwrite)
    reset_peak()
    with stages or Stages() as stages, ExitStack() as left_behind:
        stages.stage("reading picture and sound")
        size = (plan.arguments["height"], plan.arguments["width"])
        picture = None if request.image is None else read_picture(request.image, size)
        sound, control = read_tracks(request)
        check_times(plan, control.duration)
        stages.stage("planning")
        plan = settle(plan)
        made = _make(plan, picture, control, stages, targets["video"], left_behind, load)
        record = _write(plan, targets, sound, made, stages)
    return record, targets


def _name_strip(targets: dict[str, Path], plan: Plan, overwrite: bool) -> dict[str, Path]:
    """The strip's name says what it shows, which only the method knows."""
    if "strip" not in targets:
        return targets
    shows = "keyframes" if "keyframe" in plan.method.stages else "frames"
    strip = targets["video"].with_name(f"{targets['video'].stem}.{shows}.png")
    options.check_targets([strip], overwrite)
    return targets | {"strip": strip}


def _make(
    plan: Plan,
    picture: np.ndarray | None,
    control: Track,
    stages: Stages,
    output: Path,
    left_behind: ExitStack,
    load: Callable[..., Any] | None,
) -> Made:
    """First frame, frames, frames between: each model is let go before the next is loaded."""
    from asva.models.memory import release_memory

    file, needed = None, 0
    if plan.image_model is not None:
        picture, needed = _first_frame(plan, stages)
        file = picture_file(picture)
        release_memory()
    made = _frames(plan, picture, control, stages, output, load)
    made.picture, made.predicted = file, max(made.predicted, needed)
    if plan.interpolator is not None:
        given = _gathered(made.frames, made.plan.num_frames, output, left_behind)
        made.video.pipeline = None
        release_memory()
        _between(plan, made, given, control, stages, load)
    return made


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


def _frames(
    plan: Plan,
    picture: np.ndarray | None,
    control: Track,
    stages: Stages,
    output: Path,
    load: Callable[..., Any] | None,
) -> Made:
    from asva.long import LongVideo
    from asva.long.folder import PartFolder
    from asva.memory import predict
    from asva.models import load_pipeline

    request, size = plan.request, {name: plan.arguments[name] for name in ("height", "width")}
    stages.stage("loading the model")
    pipeline = (load or load_pipeline)(plan.folder or "", method=plan.method.name, **_place(request))
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
    return Made(
        frames=video.frames(),
        plan=heard.plan,
        video=video,
        heard=heard,
        settings=scalars(pipeline.config),
        device=device,
        dtype=dtype,
        localizer=getattr(pipeline, "localizer", None) is not None,
        predicted=(predict(None, **size) if plan.choice is None else plan.choice.prediction).peak,
        resumed=0 if store is None else store.found,
    )


def _gathered(frames: Iterator[np.ndarray], count: int, output: Path, left_behind: ExitStack) -> np.ndarray:
    """Frames that wait for the second model, in a file of their own."""
    folder = Path(
        left_behind.enter_context(tempfile.TemporaryDirectory(prefix=".asva-", dir=output.parent)), "given.npy"
    )
    first = next(frames)
    given = np.lib.format.open_memmap(folder, mode="w+", dtype=np.uint8, shape=(count, *first.shape))
    given[0] = first
    for index, frame in enumerate(frames, start=1):
        given[index] = frame
    return given


def _between(
    plan: Plan, made: Made, given: np.ndarray, control: Track, stages: Stages, load: Callable[..., Any] | None
) -> None:
    """All frames from those of the method, by the second stage of another model."""
    from asva.long.between import FramesBetween
    from asva.long.over_time import window_prompts
    from asva.models import load_pipeline
    from asva.pipelines.methods import METHODS

    request = plan.request
    stages.stage("loading the interpolator")
    pipeline = (load or load_pipeline)(plan.interpolator, method="keyvid", **_place(request))
    steps, clip = request.options.get("--interp-steps"), made.heard.between
    between = FramesBetween(
        pipeline,
        clip,
        given,
        plan.ratio,
        control,
        prompts=window_prompts(request.options.get("--prompt-at", []), clip, request.prompt),
        seed=request.seed,
        arguments={"interp_num_inference_steps": steps},
    )
    between.callback = _report(stages, METHODS["keyvid"].stages, between)
    made.plan, made.frames = between.plan, between.frames()


def _place(request: Request) -> dict[str, str]:
    return {"device": request.device, "dtype": request.dtype, "offload": request.offload}


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


def _write(plan: Plan, targets: dict[str, Path], sound: Track, made: Made, stages: Stages) -> dict[str, Any]:
    from asva.cli.drawings import draw_plot, draw_strip
    from asva.models import measured_peak
    from asva_data import write_video

    clip, request = made.plan, plan.request
    sound = sound.fit(clip.duration, loop=request.loop)
    shown = None if made.heard.seconds is None else made.heard.frame_numbers(clip)
    watched = Watched(
        fps=float(clip.fps),
        waveform=sound.waveform,
        sample_rate=sound.sample_rate,
        curve=made.heard.curve,
        curve_fps=float(plan.native_fps),
        keyframes=made.heard.seconds,
        strip=frames_to_show(clip.num_frames, shown) if "strip" in targets else (),
        measure="plot" in targets and made.heard.curve is None,
    )
    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        write_video(
            draft["video"],
            watched.watch(made.frames),
            fps=clip.fps,
            waveform=sound.waveform,
            sample_rate=sound.sample_rate,
            crf=request.crf,
        )
        stages.stage("writing")
        record = make_record(plan, made)
        record["memory"] = {"predicted_bytes": made.predicted, "measured_bytes": measured_peak(made.device)}
        record["seconds"] = dict(stages.seconds)
        write_json(draft["json"], record)
        if "image" in draft:
            draft["image"].write_bytes(made.picture)
        if "plot" in draft:
            draw_plot(draft["plot"], watched, request.audio.name)
        if "strip" in draft:
            draw_strip(draft["strip"], watched)
    if made.video.store is not None:
        made.video.store.remove()
    return record
