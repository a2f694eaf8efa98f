"""How loud a sound is during each frame (AADiff, arXiv 2305.04001, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SILENCE = 1e-4  # -80 dB: below it nothing is made as loud as a loud sound


def frame_amplitude(waveform: Tensor, num_frames: int, *, smoothing: int = 3) -> Tensor:
    """Loudness of each frame's piece of sound, smoothed, relative to the loudest.

    Root mean square of each of `num_frames` equal pieces; then the mean over a window of `smoothing` frames, shorter
    at both ends (AADiff's sliding window); then divided by the largest.

    Args:
        waveform: (s,) samples.
        num_frames: Pieces t, at most as many as samples.
        smoothing: Frames of the window, odd; 1 is none.

    Returns:
        (t,) in [0, 1], float32; zeros for a silent sound.

    Raises:
        ValueError: If the window is not odd, or there are fewer samples than frames.

    >>> frame_amplitude(torch.tensor([0.0, 0.0, 0.5, -0.5, 0.0, 0.0]), 3, smoothing=1)
    tensor([0., 1., 0.])
    """
    if not isinstance(smoothing, int) or smoothing < 1 or smoothing % 2 == 0:
        raise ValueError(f"`smoothing` must be an odd number of frames, got {smoothing}.")
    if waveform.ndim != 1 or not 1 <= num_frames <= len(waveform):
        raise ValueError(f"`waveform` must hold at least {num_frames} samples (s,), got {tuple(waveform.shape)}.")
    loud = torch.stack([piece.square().mean().sqrt() for piece in waveform.float().tensor_split(num_frames)])
    inside = F.avg_pool1d(torch.ones(1, 1, num_frames), smoothing, 1, smoothing // 2)
    smooth = (F.avg_pool1d(loud[None, None], smoothing, 1, smoothing // 2) / inside)[0, 0]
    peak = smooth.max()
    return smooth / peak if peak > SILENCE else torch.zeros_like(smooth)
