"""Motion over a whole sound: what the localizer hears in overlapping pieces, and where a picture is at rest."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from asva_audio import Track

AT_ONCE = 8  # pieces
AROUND = (3, 4)  # frames before and behind a start that shall be calm, at 24 frames per second
LEVELS, CALM = 20, 2  # of motion; up to a tenth of the strongest is rest


def heard_curve(
    localizer: Any,
    spectrogram: Callable[[Tensor, int], Tensor],
    track: Track,
    num_frames: int,
    *,
    window_size: int,
    fps: Fraction,
    sample_rate: int,
) -> np.ndarray:
    """Motion that a localizer predicts for a sound of any length.

    Pieces as long as its clips are heard every half of their length; where two overlap, the curve goes from one to
    the other, so that what lies at a piece's end is told by the piece in which it lies in the middle.

    Args:
        localizer: :class:`asva_keyframe.MotionLocalizer`.
        spectrogram: ``spectrogram(waveform, sample_rate)``, (b, s) to what the localizer takes.
        track: The sound; silence follows it.
        num_frames: Length of the curve.
        window_size: Frames of the localizer's curves.
        fps: Frames per second.
        sample_rate: Hertz that it hears.

    Returns:
        (num_frames,) float32, neither scaled nor clipped.
    """
    hop = max(window_size // 2, 1)
    starts = list(range(0, max(num_frames - window_size, 0) + hop, hop)) if num_frames > window_size else [0]
    weight = np.minimum(np.arange(window_size) + 0.5, window_size - 0.5 - np.arange(window_size))
    total = np.zeros(starts[-1] + window_size)
    shares = np.zeros_like(total)
    for some in (starts[i : i + AT_ONCE] for i in range(0, len(starts), AT_ONCE)):
        pieces = [track.piece(start / fps, window_size / fps, sample_rate).waveform[0] for start in some]
        mel = spectrogram(torch.stack(pieces), sample_rate)
        parameter = next(localizer.parameters())
        curves = localizer.predict(mel.to(parameter.device, parameter.dtype)).numpy()
        for start, curve in zip(some, curves, strict=True):
            total[start : start + window_size] += weight * curve
            shares[start : start + window_size] += weight
    return (total / shares)[:num_frames].astype(np.float32)


def pipeline_curve(
    pipeline: Any, track: Track, num_frames: int, *, window_size: int, fps: Fraction
) -> np.ndarray | None:
    """What a pipeline's own localizer hears, see :func:`heard_curve`; None of a pipeline without one."""
    if getattr(pipeline, "localizer", None) is None:
        return None
    return heard_curve(
        pipeline.localizer,
        pipeline.audio_encoder.spectrogram,
        track,
        num_frames,
        window_size=window_size,
        fps=fps,
        sample_rate=pipeline.config.sample_rate,
    )


def loudness_curve(track: Track, num_frames: int, fps: Fraction) -> np.ndarray:
    """(num_frames,) root mean square of the sound during each frame, relative to the loudest."""
    edges = [round(index / fps * track.sample_rate) for index in range(num_frames + 1)]
    levels = np.zeros(num_frames)
    for index, (first, last) in enumerate(pairwise(edges)):
        samples = track.waveform[:, first:last]
        levels[index] = np.sqrt(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return (levels / max(levels.max(initial=0.0), 1e-4)).astype(np.float32)


def unrest(curve: ArrayLike, fps: float | Fraction) -> np.ndarray:
    """How bad each frame is to start at: the strongest motion around it, in steps, none where it is as good as calm.

    >>> unrest([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], fps=6).tolist()
    [0.0, 0.0, 18.0, 18.0, 18.0, 0.0, 0.0]
    """
    values = np.maximum(np.asarray(curve, np.float64), 0.0)
    before, behind = (max(round(frames * float(fps) / 24), 1) for frames in AROUND)
    padded = np.pad(values, (before, behind), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, before + behind + 1).max(axis=1)
    return np.maximum(np.round(LEVELS * around / max(float(values.max(initial=0.0)), 1e-9)) - CALM, 0.0)
