"""Clips of any length by overlapping windows, exact to the frame (MTV, section 5.3, long video)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PLANNERS = ("exact", "official")


@dataclass(frozen=True)
class WindowPlan:
    """Which frames are generated together, and which of them are kept.

    Attributes:
        num_frames: Frames of the clip that is wanted.
        kept_frames: Frames of the clip that comes out; fewer with the published planner.
        overlap: Frames that a window takes over from the one before it.
        windows: (first frame, frame behind the last) of each window; the last may reach beyond the clip.
    """

    num_frames: int
    kept_frames: int
    overlap: int
    windows: tuple[tuple[int, int], ...]

    @property
    def padded_frames(self) -> int:
        """Frames of sound that the windows need: the clip's, then silence."""
        return max(self.windows[-1][1], self.num_frames)

    @property
    def lost_frames(self) -> int:
        """Frames at the end of the clip that never come out."""
        return self.num_frames - self.kept_frames

    def join(self, segments: Sequence[Tensor]) -> Tensor:
        """One clip of the windows' frames.

        Args:
            segments: (t, ...) frames of each window, in order.

        Returns:
            (kept_frames, ...): all of the first window, the others without their overlap, cut to the clip.

        Raises:
            ValueError: If a segment is missing or of another length than its window.
        """
        lengths = [len(segment) for segment in segments]
        wanted = [stop - start for start, stop in self.windows]
        if lengths != wanted:
            raise ValueError(f"`segments` must hold windows of {wanted} frames, got {lengths}.")
        new = [segment[self.overlap if index else 0 :] for index, segment in enumerate(segments)]
        return torch.cat(new)[: self.kept_frames]


def plan_windows(num_frames: int, window: int = 49, overlap: int = 5, *, planner: str = "exact") -> WindowPlan:
    """Cover a clip by windows, each of which takes over the last frames of the one before it.

    Args:
        num_frames: Frames of the clip.
        window: Frames of a window, 4k + 1.
        overlap: Frames taken over, 4k + 1 so that they are whole latent frames, or 0; 5 as published are 2 of them.
        planner: ``"exact"`` covers every frame. ``"official"`` is the published one, of windows of 49 with 5: it pads
            the sound to ``48 k + 1`` frames and takes ``(padded - 8) // 44`` windows, which loses the end of 638 of
            the 1439 lengths below a minute at 24 frames a second.

    Raises:
        ValueError: If a number or `planner` is none that is allowed.

    >>> plan_windows(96).windows, plan_windows(96).lost_frames, plan_windows(96, planner="official").lost_frames
    (((0, 49), (44, 93), (88, 137)), 0, 3)
    """
    if num_frames < 1:
        raise ValueError(f"`num_frames` must be at least 1, got {num_frames}.")
    if window < 5 or window % 4 != 1:
        raise ValueError(f"`window` must be 4k + 1 and at least 5, got {window}.")
    if not 0 <= overlap < window or (overlap and overlap % 4 != 1):
        raise ValueError(f"`overlap` must be 0 or 4k + 1, and less than `window` ({window}), got {overlap}.")
    if planner not in PLANNERS:
        raise ValueError(f"`planner` must be one of {PLANNERS}, got {planner!r}.")
    stride = window - overlap
    if planner == "official":
        if (window, overlap) != (49, 5):
            raise ValueError(f"`planner` must be 'exact' for other windows than 49 with 5, got {(window, overlap)}.")
        padded = 1 + -(-(num_frames - 1) // 48) * 48
        count = max((padded - 8) // 44, 1)
    else:
        count = max(1, -(-(num_frames - overlap) // stride))
    windows = tuple((index * stride, index * stride + window) for index in range(count))
    return WindowPlan(num_frames, min(num_frames, windows[-1][1]), overlap, windows)
