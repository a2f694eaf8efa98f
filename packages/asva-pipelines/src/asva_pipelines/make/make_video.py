"""The one way in which a video is made: plan, frames as they come, files; everything or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from asva_data import write_video
from asva_data.many import only_run
from asva_pipelines.loading.load import load_pipeline
from asva_pipelines.loading.memory import measured_peak, reset_peak
from asva_pipelines.make.drawings import draw_plot, draw_strip
from asva_pipelines.make.made import Made
from asva_pipelines.make.plan import Plan, make_plan
from asva_pipelines.make.record import make_record
from asva_pipelines.make.recorder import Watched, frames_to_show
from asva_pipelines.make.request import Request
from asva_pipelines.make.stages import Stages
from asva_pipelines.make.targets import check_targets
from asva_weights import staged, write_json

GENERATED = "Synthetic video, made with asva, an AI video generator; method {method}."
"""What every video says of itself in its tag `comment`."""
BY_RULE = "Synthetic video, made with asva: a picture moved by rule, nothing generated; method {method}."
"""The same, of methods without a model."""


def make_video(
    request: Request,
    targets: Mapping[str, Path],
    *,
    overwrite: bool = False,
    stages: Stages | None = None,
    load: Callable[..., Any] | None = None,
    job: Callable[[], str] | None = None,
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Make a video and everything beside it.

    Args:
        request: What is wanted.
        targets: Names of the files: ``video``, ``json`` and, if they are wanted, ``plot``, ``strip`` and ``image``.
        overwrite: Whether they may exist.
        stages: Is told what is being done; what it raises ends the work and leaves no file.
        load: In place of :func:`asva_pipelines.load_pipeline`, such as one that remembers what it has loaded.
        job: Gives the digest of what is made, for the record, by which a batch knows what is done; see :class:`Job`.

    Returns:
        The record, as it is written, and the files, the video last.

    Raises:
        RequestError: If the request cannot be right.
        ValueError: If a model or an input is at fault (``ModelError``, ``MediaError``, ``AudioError`` among them).
        OSError: If a file cannot be written.
    """
    plan = make_plan(request)
    targets = _name_strip(dict(targets), plan, overwrite)
    reset_peak()
    with only_run(targets["video"]), stages or Stages() as stages:
        make_frames = import_module(plan.method.make).make_frames
        made = make_frames(plan, stages, load or load_pipeline, targets["video"])
        record = _write(targets, made, stages, job)
    made.finish()
    return record, targets


def _name_strip(targets: dict[str, Path], plan: Plan, overwrite: bool) -> dict[str, Path]:
    """The strip's name says what it shows, which only the method knows."""
    if "strip" not in targets:
        return targets
    shows = "keyframes" if "keyframe" in plan.method.stages else "frames"
    strip = targets["video"].with_name(f"{targets['video'].stem}.{shows}.png")
    check_targets([strip], overwrite)
    return targets | {"strip": strip}


def _write(targets: Mapping[str, Path], made: Made, stages: Stages, job: Callable[[], str] | None) -> dict[str, Any]:
    clip, request, method = made.plan, made.request.request, made.request.method
    strip = frames_to_show(clip.num_frames, made.shown) if "strip" in targets else ()
    watched = Watched(made, strip, measure="plot" in targets and made.curve is None)
    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        write_video(
            draft["video"],
            watched.frames(),
            fps=clip.fps,
            waveform=made.sound.waveform,
            sample_rate=made.sound.sample_rate,
            crf=request.crf,
            metadata={"comment": (GENERATED if method.needs_model else BY_RULE).format(method=method.name)},
        )
        stages.stage("writing")
        record = make_record(made)
        record["memory"] = {"predicted_bytes": made.predicted or None, "measured_bytes": measured_peak(made.device)}
        record["seconds"] = dict(stages.seconds)
        if job is not None:
            record["job"] = {"sha256": job(), "video_bytes": draft["video"].stat().st_size}
        write_json(draft["json"], record)
        if "image" in draft:
            draft["image"].write_bytes(made.picture)
        if "plot" in draft:
            name = next(path.name for path in (request.audio, *request.tracks.values()) if path is not None)
            draw_plot(draft["plot"], watched, name)
        if "strip" in draft:
            draw_strip(draft["strip"], watched)
    return record
