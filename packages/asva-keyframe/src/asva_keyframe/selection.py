"""Choice of keyframes from a motion curve (KeyVID, section 3.2.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from asva_keyframe.draws import Draws, OfficialDraws, as_draws
from asva_keyframe.inference_rule import inference_keyframes
from asva_keyframe.keypoints import Keypoints, check_curve, find_keypoints
from asva_keyframe.spread import check_counts, spread_evenly, uniform_keyframes
from asva_keyframe.training_rule import training_keyframes, window_length

Rule = Literal["inference", "training", "even", "uniform"]
RULES: tuple[Rule, ...] = ("inference", "training", "even", "uniform")


def select_keyframes(
    curve: ArrayLike,
    num_keyframes: int = 12,
    *,
    rule: Rule = "inference",
    fps: float = 24.0,
    start: int = 0,
    duration: float | None = None,
    prominence: float = 0.1,
    generator: np.random.Generator | OfficialDraws | int | None = None,
) -> np.ndarray:
    """Choose the keyframes of a clip from its motion curve (KeyVID, section 3.2.1).

    ========== =========================================================================================
    rule       frames
    ========== =========================================================================================
    inference  the original's script: random peaks, a random valley between each two, the missing frames
               nearly all between the last two of them
    training   the original's dataset: smoothed curve, peaks in random order, valleys or midpoints between
               them, missing frames by length of interval; repeated frames are replaced
    even       the paper: the first frame, up to ``num_keyframes / 2 - 1`` random peaks, the lowest valley between
               each two, missing frames where the spacing is widest
    uniform    equal distances, whatever the curve
    ========== =========================================================================================

    Args:
        curve: (t,) motion scores, one per frame.
        num_keyframes: How many.
        rule: Which rule, see above.
        fps: Frames per second of the curve.
        start: First frame of the window in which keyframes are chosen.
        duration: Length of that window in seconds; None is the rest of the curve.
        prominence: Smallest height of a peak over its surroundings, in units of the curve.
        generator: Source of randomness: a ``numpy.random.Generator``, a ``torch.Generator``, a seed, or
            `OfficialDraws` for the original's indices. None is seed 0.

    Returns:
        (num_keyframes,) int64 indices counted from `start`, sorted, each once, the first of them 0.

    Raises:
        ValueError: If the curve is empty or not finite, or the window has fewer frames than keyframes.

    Example:
        >>> select_keyframes([0.0] * 48, 6).tolist()
        [0, 8, 16, 24, 32, 40]
    """
    values = check_curve(curve)
    num_frames = window_length(len(values), fps=fps, start=start, duration=duration)
    check_counts(num_frames, num_keyframes)
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {', '.join(RULES)}, got {rule!r}.")
    if rule == "uniform" or num_keyframes == 1:
        return uniform_keyframes(num_frames, num_keyframes)
    seconds = num_frames / fps if duration is None else duration
    spacing = min(max(round(fps * seconds / num_keyframes), 1), num_frames - 1)
    keypoints = find_keypoints(values, taps=5 if rule == "training" else 1, prominence=prominence)
    keypoints = keypoints.window(start, num_frames)
    draws = as_draws(generator)
    if rule == "inference":
        return inference_keyframes(keypoints, num_frames, num_keyframes, spacing, draws)
    if rule == "training":
        chosen = np.unique(training_keyframes(keypoints, num_frames, num_keyframes, spacing, draws))
        return spread_evenly(chosen, num_frames, num_keyframes)
    return _even_keyframes(values[start : start + num_frames], keypoints, num_frames, num_keyframes, draws)


def _even_keyframes(
    curve: np.ndarray, keypoints: Keypoints, num_frames: int, num_keyframes: int, draws: Draws
) -> np.ndarray:
    count = min(max(num_keyframes // 2 - 1, 0), len(keypoints.peaks))
    peaks = np.sort(draws.choose(keypoints.peaks, count)) if count else np.empty(0, np.int64)
    valleys = []
    for left, right in pairwise(peaks):
        between = keypoints.valleys[(keypoints.valleys > left) & (keypoints.valleys < right)]
        if len(between) > 0:
            valleys.append(between[np.argmin(curve[between])])
    anchors = np.unique(np.concatenate([[0], peaks, valleys]).astype(np.int64))
    return spread_evenly(anchors, num_frames, num_keyframes)
