"""The selection rule of the original's inference script (see `select_keyframes`)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from asva_keyframe.draws import Draws
from asva_keyframe.keypoints import Keypoints
from asva_keyframe.spread import inner_points


def inference_keyframes(
    keypoints: Keypoints, num_frames: int, num_keyframes: int, spacing: int, draws: Draws
) -> np.ndarray:
    """Random peaks, a random valley between neighbours, the missing frames nearly all in the last interval.

    Args:
        keypoints: Peaks and valleys of the window, counted from its start.
        num_frames: Length of the window.
        num_keyframes: How many indices are wanted.
        spacing: Distance of uniform keyframes; without peaks the last anchor stands so far from the end.
        draws: Where choices and probabilities come from.

    Returns:
        (num_keyframes,) sorted unique int64 indices; 0 is among them.
    """
    anchors = _anchors(keypoints, num_frames, num_keyframes, spacing, draws)
    chosen = sorted({*anchors, *_padding(anchors, num_keyframes - len(anchors), draws)})[:num_keyframes]
    missing = num_keyframes - len(chosen)
    if missing > 0:
        unused = np.setdiff1d(np.arange(num_frames), chosen)
        chosen = sorted([*chosen, *draws.choose(unused, missing).tolist()])
    return np.asarray(chosen, dtype=np.int64)


def _anchors(keypoints: Keypoints, num_frames: int, num_keyframes: int, spacing: int, draws: Draws) -> list[int]:
    if len(keypoints.peaks) == 0:
        return [0, num_frames - spacing]
    count = min(num_keyframes // 2, len(keypoints.peaks))
    peaks = sorted({0, *draws.choose(keypoints.peaks, count).tolist()})
    valleys = []
    for left, right in pairwise(peaks):
        between = keypoints.valleys[(keypoints.valleys > left) & (keypoints.valleys < right)]
        if len(between) > 0:
            valleys.append(draws.choose_one(between))
    return sorted([*peaks, *valleys])


def _padding(anchors: list[int], missing: int, draws: Draws) -> list[int]:
    if missing <= 0 or len(anchors) < 2:
        return []
    added: list[int] = []
    total = anchors[-1] - anchors[0]
    for left, right in pairwise(anchors[:-1]):
        # Each interval but the last gets at most one frame, with the probability of its share of the clip.
        if draws.uniform() < (right - left) / total and missing > 0:
            added += inner_points(left, right, 1)
            missing -= 1
    if missing > 0:
        return added + inner_points(anchors[-2], anchors[-1], missing)
    draws.uniform()  # the original draws here too; kept so that a shared stream stays in step
    return added
