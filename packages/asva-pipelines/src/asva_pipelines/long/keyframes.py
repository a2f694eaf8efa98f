"""Keyframes over a whole sound: each window of the network gets its share (KeyVID, section 3.2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from asva_interp import ClipPlan


def window_keyframes(
    curve: ArrayLike | None,
    plan: ClipPlan,
    num_keyframes: int,
    *,
    rule: str = "inference",
    given: Sequence[int] | None = None,
    seed: int = 0,
) -> list[np.ndarray]:
    """Keyframes of every window, counted from its start, the first of them 0.

    Peaks and valleys are found in the curve of the whole sound, so that a window of silence has none that a louder
    one would not have.

    Args:
        curve: (t,) motion of every frame of the network, at least ``plan.padded_frames``; None chooses none by it.
        plan: The video.
        num_keyframes: Of every window.
        rule: See :func:`asva_keyframe.select_keyframes`.
        given: Frames of the network that shall be keyframes, instead of choosing them.
        seed: Of the rule's draws.

    Raises:
        ValueError: If more frames are given for one window than it has keyframes.
    """
    from asva_keyframe import select_keyframes, uniform_keyframes

    if given is not None:
        return [_given(np.asarray(given, np.int64), plan, index, num_keyframes) for index in range(len(plan.windows))]
    if curve is None or rule == "uniform":
        return [uniform_keyframes(plan.window_size, num_keyframes) for _ in plan.windows]
    seconds = plan.window_size / float(plan.native_fps)
    return [
        select_keyframes(
            curve,
            num_keyframes,
            rule=rule,
            fps=float(plan.native_fps),
            start=window.start,
            duration=seconds,
            generator=np.random.default_rng([seed, index]),
        )
        for index, window in enumerate(plan.windows)
    ]


def kept_keyframes(plan: ClipPlan, chosen: Sequence[np.ndarray]) -> np.ndarray:
    """Those of all windows that are in the video, counted from its start in frames of the network.

    Args:
        plan: The video.
        chosen: Keyframes of every window, counted from its start.
    """
    kept = []
    for window, indices in zip(plan.windows, chosen, strict=True):
        frames = window.start + np.asarray(indices, np.int64)
        kept.append(frames[(frames >= window.keep[0]) & (frames < window.keep[1])])
    return np.concatenate(kept)


def _given(frames: np.ndarray, plan: ClipPlan, index: int, num_keyframes: int) -> np.ndarray:
    """The window's start, those given that lie in it, and what fills the gaps between."""
    from asva_keyframe import spread_evenly

    window = plan.windows[index]
    local = frames - window.start
    inside = local[(local > 0) & (local < plan.window_size)]
    if len(inside) >= num_keyframes:  # those that only the next window shows can wait for it
        inside = inside[inside < window.kept.stop]
    if len(inside) >= num_keyframes:
        begin, end = (float(edge / plan.native_fps) for edge in (window.start, window.start + plan.window_size))
        raise ValueError(
            f"`keyframes` must be at most {num_keyframes - 1} between {begin:.2f} and {end:.2f} s, got {len(inside)}. "
            "Leave some out."
        )
    return spread_evenly(np.union1d([0], inside).astype(np.int64), plan.window_size, num_keyframes)
