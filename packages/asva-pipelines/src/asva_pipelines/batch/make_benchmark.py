"""What a system makes of the clips of a benchmark: each from the true frame at its moment, the sound and the class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from asva_data import Benchmark, BenchmarkClip, first_frame
from asva_pipelines.batch.make_batch import make_rows
from asva_pipelines.batch.table import Row
from asva_pipelines.make.job import Job
from asva_pipelines.make.plan import method_asked_for
from asva_pipelines.make.request import Request
from asva_weights import staged


def make_benchmark(
    benchmark: Benchmark,
    request: Request,
    folder: Path,
    inputs: Path,
    on_made: Callable[[Path], None] = lambda path: None,
    **options: Any,
) -> int:
    """Make every clip of a benchmark that is not made yet.

    Each is made with the request's seed, as published, from the frame of the true video with which the clip begins,
    unless the method sees no picture.

    Args:
        benchmark: The clips.
        request: Method, model and settings of all clips.
        folder: For the videos, ``CLASS/VIDEO_clip-KK.mp4``.
        inputs: For the first frames, which all systems share.
        on_made: Told of each video that was made.
        options: Of :func:`asva_data.many.run_many`, such as ``workers``.

    Returns:
        Exit code: 0 if every clip is there, else 1.

    Raises:
        RequestError: If the clips cannot be made so; nothing is made then.
        ModelError: If the model cannot be had or is damaged.
        MediaError: If a true video cannot be read, or another run makes videos in the folder.
        OSError: If the disk is full; what was done stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    without = method_asked_for(request).without
    rows = [Row(clip.name, {"output": f"{clip.name}.mp4", "clip": clip}) for clip in benchmark.clips]

    def read(values: Mapping[str, Any], output: Path) -> Job:
        clip = values["clip"]
        seen = {"image": _first_frame(clip, inputs), "prompt": clip.prompt}
        mine = replace(
            request,
            audio=clip.video,
            start=clip.start,
            duration=benchmark.seconds,
            **{name: value for name, value in seen.items() if name not in without},
        )
        return Job(request=mine, targets={"json": output.with_suffix(".json"), "video": output})

    return make_rows(rows, folder, read, on_made, **options)


def _first_frame(clip: BenchmarkClip, folder: Path) -> Path:
    """The picture with which a clip begins, made once."""
    path = folder / f"{clip.name}.png"
    if not path.is_file() or path.stat().st_mtime < clip.video.stat().st_mtime:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged(path) as (draft,):
            Image.fromarray(first_frame(clip.video, clip.start)).save(draft, format="png")
    return path
