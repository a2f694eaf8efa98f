"""Frames on their way to a file, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from asva_audio import Track
    from asva_interp import ClipPlan
    from asva_pipelines.make.plan import Plan


@dataclass(kw_only=True)
class Made:
    """What a method's way gives to the one that writes the file.

    Attributes:
        request: The plan as it was carried out.
        frames: Of the video, one by one.
        plan: Length, rate and windows of the video.
        sound: Of the file, as long as the video.
        tell: Asked when all frames have passed: what the record says of this way alone.
        settings: Of the pipeline that made the frames.
        device: That it ran on.
        dtype: Of its weights.
        predicted: Bytes that were expected to be needed at most, by any pipeline; 0 where that was not worked out.
        curve: (t,) motion of every frame of the method; None where nothing hears it.
        keyframes: (k,) seconds of those that are shown; None where there are none.
        between: Windows of the model that makes the frames between, where there is one.
        picture: File of the first frame, where a model made it.
        finish: Called when everything is written.
    """

    request: Plan
    frames: Iterator[np.ndarray]
    plan: ClipPlan
    sound: Track
    tell: Callable[[], dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    device: str = ""
    dtype: str = ""
    predicted: int = 0
    curve: np.ndarray | None = None
    keyframes: np.ndarray | None = None
    between: ClipPlan | None = None
    picture: bytes | None = None
    finish: Callable[[], None] = lambda: None

    @property
    def shown(self) -> np.ndarray | None:
        """Frames of the video that show the keyframes, or come nearest to them."""
        if self.keyframes is None:
            return None
        numbers = np.floor(self.keyframes * float(self.plan.fps) + 0.5).astype(int)
        return np.minimum(numbers, self.plan.num_frames - 1)
