"""SyncReward: what people would say of the sync of a clip, from 0 to 2, by a network trained on their ratings."""

from __future__ import annotations

import numpy as np

WINDOWS, SECONDS, STEP = 18, 0.5, 0.25
"""Windows of a clip, their length, and the time between two."""
SPAN = STEP * (WINDOWS - 1) + SECONDS


def reward_windows(num_frames: int, fps: float, num_samples: int, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Which frames and samples each window of a clip holds.

    The windows lie in the middle of what picture and sound share; beyond the end the last frame is shown in silence.

    Args:
        num_frames: Frames of the clip.
        fps: Their rate.
        num_samples: Samples of its sound.
        sample_rate: Their rate.

    Returns:
        (18, t) indices of frames and (18, s) of samples, -1 for silence.

    Raises:
        ValueError: If there are fewer than two frames or a tenth of a second of sound.

    Example:
        >>> frames, samples = reward_windows(250, 25, 480000, 48000)
        >>> frames.shape, samples.shape, int(samples[0, 0])
        ((18, 12), (18, 24000), 126000)
    """
    if num_frames < 2 or num_samples < sample_rate / 10:
        raise ValueError(
            f"`num_frames` must be 2 and the sound 0.1 s or more, got {num_frames}, {num_samples} samples."
        )
    start = max(0.0, min(num_frames / fps, num_samples / sample_rate) - SPAN) / 2
    begins = start + STEP * np.arange(WINDOWS)
    frames, samples = (
        np.round(begins * rate).astype(int)[:, None] + np.arange(round(SECONDS * rate)) for rate in (fps, sample_rate)
    )
    return np.minimum(frames, num_frames - 1), np.where(samples < num_samples, samples, -1)
