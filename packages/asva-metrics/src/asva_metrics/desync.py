"""DeSync: how far a model of audio-visual offsets (Synchformer) says that sound and picture are apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from asva_metrics.features import feature_matrix

OFFSETS = np.linspace(-2.0, 2.0, 21)
"""Seconds of each of Synchformer's classes."""


def desync(first_logits: Any, last_logits: Any | None = None) -> float:
    """Mean absolute offset in seconds that the likeliest class names (av-benchmark).

    Synchformer hears 4.8 s: the published number is the mean over the first and the last 4.8 s of each clip. Clips of
    two seconds are outside of what it was trained on, whatever they are padded with.

    Args:
        first_logits: (n, 21) logits for the start of each clip, array or tensor.
        last_logits: (n, 21) logits for the end; None if the clips are one window long.

    Returns:
        Seconds, from 0 to 2.

    Raises:
        ValueError: If the shapes differ, there are no clips, or a value is not finite.
    """
    windows = [feature_matrix(x, "logits") for x in (first_logits, last_logits) if x is not None]
    if any(window.shape != windows[0].shape or window.shape[1] != len(OFFSETS) for window in windows):
        raise ValueError(f"`logits` must have shape (n, {len(OFFSETS)}), got {[window.shape for window in windows]}.")
    if len(windows[0]) == 0:
        raise ValueError("`first_logits` must hold at least one clip, got none.")
    return float(np.mean([np.abs(OFFSETS[window.argmax(axis=1)]) for window in windows]))
