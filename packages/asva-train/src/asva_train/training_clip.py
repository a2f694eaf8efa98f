"""One clip as every training sees it, and where clips come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

SAMPLE_RATE = 16000


@dataclass(frozen=True, kw_only=True)
class TrainingClip:
    """One clip as every training sees it.

    Attributes:
        frames: (t, h, w, 3) uint8.
        waveform: (s,) float32 at 16 kHz, as long as the frames.
        caption: What the clip shows.
        motion_curve: (t,) motion score of each frame.
        class_index: Index of the sound's class, -1 if it is not known.
        moving: (t, h, w) bool, pixels of moving objects; all true if it is not known.
        visible: Indices of the classes that can be seen.
        stems: (3, s) speech, effects and music, where they are known (MTV); (4, s) with a second voice.
    """

    frames: np.ndarray
    waveform: np.ndarray
    caption: str
    motion_curve: np.ndarray
    class_index: int
    moving: np.ndarray
    visible: tuple[int, ...]
    stems: np.ndarray | None = None

    def conditions(self, learning: Sequence[str] = ()) -> dict[str, Any]:
        """``caption`` and ``waveform``: what every encoder starts from, whether it learns or not."""
        del learning
        return {"waveform": self.waveform, "caption": self.caption}


class ClipSource(Protocol):
    """Clips in the order of a run: any of them can be made without those before.

    ``class_names`` holds the names of all classes; ``num_clips`` is the number of different clips, or None. A source
    may have a ``remark``: what of its data it takes, in words.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def num_clips(self) -> int | None: ...

    def __getitem__(self, index: int) -> Any: ...

    def class_at(self, index: int) -> int:
        """Class index of a clip, without making the clip."""
