"""Frames between those of another method, for a video of any length, by KeyVID's second stage."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from asva_audio import Track
from asva_interp import ClipPlan, make_clip_plan
from asva_pipelines.long.video import window_seed
from asva_pipelines.settings import Callback


def plan_between(
    duration: Fraction, fps: Fraction, *, native_fps: int | float, window_size: int, ratio: int, resampling: str
) -> tuple[ClipPlan, int]:
    """Windows that begin and end at given frames, and how many given frames they need.

    Args:
        duration: Seconds.
        fps: Of the video.
        native_fps: Of the second stage.
        window_size: Its frames.
        ratio: How many of them there are to each given one.
        resampling: See :func:`asva_interp.make_clip_plan`.
    """
    plan = make_clip_plan(
        duration,
        fps,
        native_fps=native_fps,
        window_size=window_size,
        overlaps=(ratio, ratio) if window_size > ratio else (1, 1),
        resampling=resampling,
    )
    # Whole given windows: the frames that lie behind the last given one of a window are taken from the next.
    return plan, math.ceil(plan.padded_frames / ratio)


@dataclass(kw_only=True)
class FramesBetween:
    """Makes the frames of a plan of :func:`plan_between`; each window stands on given frames alone.

    Attributes:
        pipeline: With a second stage.
        plan: Length, rate and windows.
        given: (n, h, w, 3) uint8, every `ratio`-th frame; may be memory-mapped.
        ratio: See :func:`plan_between`.
        track: What is heard.
        prompts: Of each window.
        seed: The same one gives the same video.
        arguments: Of every call of ``pipeline.interpolate``.
        callback: See the pipelines.
        window: The window that is being made.
    """

    pipeline: Any
    plan: ClipPlan
    given: np.ndarray
    ratio: int
    track: Track
    prompts: Sequence[str]
    seed: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    callback: Callback | None = None
    window: int = field(default=0, init=False)

    def frames(self) -> Iterator[np.ndarray]:
        """Frames (h, w, 3) uint8 of the video, as they are made."""
        return self.plan.resample(self._native_frames())

    def _native_frames(self) -> Iterator[np.ndarray]:
        plan, count = self.plan, self.plan.window_size // self.ratio
        picture = np.array(self.given[0])
        for self.window, window in enumerate(plan.windows):
            first = window.start // self.ratio
            made = self.pipeline.interpolate(
                np.array(self.given[first : first + count]),
                self.ratio * np.arange(count),
                self.track.piece(
                    window.start / plan.native_fps,
                    plan.window_size / plan.native_fps,
                    self.pipeline.config.sample_rate,
                ),
                self.prompts[self.window],
                image=picture,
                generator=torch.Generator("cpu").manual_seed(window_seed(self.seed, self.window)),
                callback_on_step_end=self.callback,
                **self.arguments,
            )
            yield from made.frames[window.kept]
