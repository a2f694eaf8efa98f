"""Agreement of embeddings: image with sound or text, frame with frame, frames with windows of sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from asva_metrics.arrays import finite

WORST_SHARE = 0.4
"""Share of a window's frames that JavisScore takes, the worst ones."""


def cosine_similarity(first: Any, second: Any) -> np.ndarray:
    """Cosine along the last axis; the other axes broadcast.

    Args:
        first: (..., d) embeddings, array or tensor.
        second: (..., d) embeddings, array or tensor.

    Returns:
        (...) float64 in [-1, 1]; nan where an embedding is zero.

    Raises:
        ValueError: If the widths differ or a value is not finite.

    Example:
        >>> cosine_similarity([[1.0, 0.0], [3.0, 4.0]], [1.0, 0.0]).tolist()
        [1.0, 0.6]
    """
    x, y = _embeddings(first, "first"), _embeddings(second, "second")
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"`second` must have the width of `first` ({x.shape[-1]}), got {y.shape[-1]}.")
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (x * y).sum(-1) / (np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1))
    return np.clip(cosine, -1.0, 1.0)


def temporal_consistency(frames: Any) -> np.ndarray | float:
    """Mean cosine of neighbouring frames (Temp-C of MTV; the papers print it times 100).

    A frozen video scores 1, so print the amount of motion beside it.

    Args:
        frames: (..., t, d) embeddings of the frames of each clip, t of at least 2.

    Returns:
        (...) mean, a float for a single clip.

    Raises:
        ValueError: If there are fewer than two frames or a value is not finite.
    """
    values = _embeddings(frames, "frames")
    if values.ndim < 2 or values.shape[-2] < 2:
        raise ValueError(f"`frames` must have shape (..., t, d) with t of at least 2, got {values.shape}.")
    mean = cosine_similarity(values[..., 1:, :], values[..., :-1, :]).mean(-1)
    return float(mean) if mean.ndim == 0 else mean


def avh_score(audio: Any, frames: Any) -> float:
    """Mean cosine of every frame with the whole sound (AVHScore of JavisDiT; IA of AVSyncD is the same mean).

    Args:
        audio: (d,) or (1, d) embedding of the sound.
        frames: (t, d) embeddings.

    Returns:
        Mean cosine.
    """
    return float(cosine_similarity(frames, np.reshape(_embeddings(audio, "audio"), (1, -1))).mean())


def javis_score(audio_windows: Any, frames: Any, window_frames: Any) -> float:
    """Mean over windows of the mean of the worst frames' cosines with their window's sound (JavisScore).

    Of the n frames of a window the ``int(0.4 n)`` lowest count, at least one (where the published code divides by
    zero).

    Args:
        audio_windows: (w, d) embeddings of the sound of each window.
        frames: (t, d) embeddings.
        window_frames: One list of frame positions for each window.

    Returns:
        Mean over the windows.

    Raises:
        ValueError: If the number of windows differs or a window has no frame.
    """
    images, sounds = _embeddings(frames, "frames"), _embeddings(audio_windows, "audio_windows")
    if len(window_frames) != len(sounds) or len(sounds) == 0:
        raise ValueError(f"`window_frames` must hold one list per window ({len(sounds)}), got {len(window_frames)}.")
    return float(np.mean([_worst(images[_positions(p)], s) for p, s in zip(window_frames, sounds, strict=True)]))


def _positions(window: Any) -> np.ndarray:
    positions = np.asarray(window, dtype=np.int64).reshape(-1)
    if len(positions) == 0:
        raise ValueError("`window_frames` must hold at least one frame for each window, got an empty one.")
    return positions


def _worst(frames: np.ndarray, sound: np.ndarray) -> float:
    cosines = np.sort(cosine_similarity(frames, sound))
    return float(cosines[: max(1, int(WORST_SHARE * len(cosines)))].mean())


def _embeddings(values: Any, name: str) -> np.ndarray:
    array = finite(values, name)
    if array.ndim == 0:
        raise ValueError(f"`{name}` must have shape (..., d), got a single number.")
    return array
