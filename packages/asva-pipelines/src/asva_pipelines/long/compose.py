"""A long video in one call, for those who compose their own."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from asva_audio import Audio, Track, load_audio
from asva_interp import count_frames, make_clip_plan
from asva_interp.windows.plan import exact_rate
from asva_keyframe import loudness_curve, unrest
from asva_keyframe.curve import pipeline_curve
from asva_pipelines.long.keyframes import window_keyframes
from asva_pipelines.long.video import LongVideo


def shared_frames(window_size: int) -> tuple[int, int]:
    """Fewest and most frames that a window shares with the next: up to two thirds, where that finds a calm start."""
    return 1, max(2 * window_size // 3, 1)


def long_video(
    pipeline: Any,
    image: Any,
    audio: str | os.PathLike[str] | Audio,
    prompt: str = "",
    *,
    fps: float | Fraction | None = None,
    seed: int = 0,
    anchor: bool = True,
    resampling: str = "nearest",
    **arguments: Any,
) -> LongVideo:
    """A video exactly as long as a sound, by any pipeline of pictures and sounds; its frames are made when asked for.

    Args:
        pipeline: Such as :func:`asva_pipelines.load_pipeline` gives.
        image: First frame as the pipeline takes it.
        audio: Sound of any length.
        prompt: What is seen and done.
        fps: Frames per second; None is the pipeline's own.
        seed: The same one gives the same video.
        anchor: Whether windows are held to the beginning, see :mod:`asva_interp.windows.anchor`.
        resampling: See :func:`asva_interp.make_clip_plan`.
        arguments: Of every call of the pipeline.

    Returns:
        Whose ``frames()`` are the video's, one by one, ``plan`` its length and ``track`` its sound.
    """
    track = Track.of(audio if isinstance(audio, Audio) else load_audio(audio, sample_rate=None, mono=False))
    config = pipeline.config
    native, size = exact_rate(config.fps), config.num_frames
    count = count_frames(track.duration, native) + size + 1
    curve = pipeline_curve(pipeline, track, count, window_size=size, fps=native)
    plan = make_clip_plan(
        track.duration,
        fps or native,
        native_fps=native,
        window_size=size,
        overlaps=shared_frames(size),
        unrest=unrest(loudness_curve(track, count, native) if curve is None else curve, native),
        resampling=resampling,
    )
    each = None
    if "num_keyframes" in config:
        rule = "uniform" if curve is None else config.selection
        chosen = window_keyframes(curve, plan, config.num_keyframes, rule=rule, seed=seed)
        each = [{"keyframe_indices": indices} for indices in chosen]
    return LongVideo(
        pipeline,
        plan,
        image,
        track.fit(plan.duration),
        prompt=prompt,
        seed=seed,
        arguments=arguments,
        each=each,
        anchor=anchor,
    )
