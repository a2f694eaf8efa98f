"""DeSync: how far Synchformer says that sound and picture are apart (as av-benchmark measures it)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from asva_metrics.features import feature_matrix

OFFSETS = np.linspace(-2.0, 2.0, 21)
"""Seconds of each of Synchformer's classes."""
RATE, FPS, SECONDS, SIDE = 16000, 25, 4.8, 224
"""Of the sound and the pictures that the network takes; what it compares at once; the side of a picture."""
SEGMENTS, SEGMENT, STEP = 14, 10240, 5120
"""Segments of 4.8 s; samples of one, and between two."""
NFFT, WINDOW, HOP, BANDS, COLUMNS = 1024, 400, 160, 128, 66
MEAN, STD = -4.2677393, 4.5689974


def desync(first_logits: Any, last_logits: Any | None = None) -> float:
    """Mean absolute offset in seconds that the likeliest class names.

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


def synchformer_mel(waveform: Tensor) -> Tensor:
    """Spectrograms of 0.64 s of sound every 0.32 s, as `Synchformer.embed_audio` takes them.

    The last column is zero before the normalisation, which is loud, as published.

    Args:
        waveform: (b, s) mono sound at 16 kHz, at least 10,240 samples.

    Returns:
        (b, n, 1, 128, 66) float32.

    Raises:
        ValueError: If the shape is another or the sound is shorter.
    """
    if waveform.ndim != 2 or waveform.shape[1] < SEGMENT:
        raise ValueError(f"`waveform` must have shape (b, s) with s >= {SEGMENT}, got {tuple(waveform.shape)}.")
    segments = waveform.float().unfold(1, SEGMENT, STEP)
    window = torch.hann_window(WINDOW, device=waveform.device)
    spectrum = torch.stft(segments.flatten(0, 1), NFFT, HOP, WINDOW, window, pad_mode="reflect", return_complex=True)
    mel = torch.log(_bands().to(waveform.device) @ spectrum.abs().square() + 1e-6)
    padded = F.pad(mel, (0, COLUMNS - mel.shape[-1]))
    return ((padded - MEAN) / (2 * STD)).unflatten(0, segments.shape[:2])[:, :, None]


def synchformer_video(frames: Any, fps: float) -> Tensor:
    """Segments of 0.64 s of picture every 0.32 s, as `Synchformer.embed_video` takes them.

    At 25 frames per second each moment shows the last frame that ffmpeg's ``fps`` filter places at or before it.

    Args:
        frames: (t, h, w, 3) uint8 RGB, at least 0.64 s of them.
        fps: Their rate.

    Returns:
        (1, n, 16, 3, 224, 224) float32 in [-1, 1].

    Raises:
        ValueError: If the frames are of another shape or fewer, or the rate is not positive.
    """
    pictures = torch.as_tensor(frames)
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != torch.uint8 or not fps > 0:
        raise ValueError(
            f"`frames` must be (t, h, w, 3) uint8 at a positive fps, got {tuple(pictures.shape)}, {fps:g}."
        )
    shown = frames_at_25(len(pictures), fps)
    if len(shown) < 16:
        raise ValueError(f"`frames` must last 0.64 s, got {len(shown) / FPS:.2f} s.")
    used, places = np.unique(shown, return_inverse=True)
    video = 2 * square_pixels(pictures[used].permute(0, 3, 1, 2)).float()[places] / 255 - 1
    return video.unfold(0, 16, 8).movedim(-1, 1)[None]


def frames_at_25(count: int, fps: float) -> np.ndarray:
    """Which of some frames of a constant rate is shown at each moment of 25 frames per second.

    >>> frames_at_25(4, 12.5)
    array([0, 0, 1, 1, 2, 2, 3, 3])
    """
    slots = np.floor(np.arange(count + 1) * FPS / fps + 0.5 + 1e-9).astype(int)
    return np.searchsorted(slots[:-1], np.arange(slots[-1]), side="right") - 1


def square_pixels(frames: Tensor) -> Tensor:
    """(t, 3, h, w) uint8 -> (t, 3, 224, 224) uint8: bicubic in whole grey levels, on the CPU, then the middle."""
    h, w = frames.shape[-2:]
    scale = SIDE / min(h, w)
    size = [SIDE if side == min(h, w) else int(side * scale) for side in (h, w)]
    resized = F.interpolate(frames.cpu(), size, mode="bicubic", antialias=True)
    top, left = (round((side - SIDE) / 2) for side in size)
    return resized[..., top : top + SIDE, left : left + SIDE]


@lru_cache(maxsize=1)
def _bands() -> Tensor:
    """(128, 513) triangles, evenly on the HTK mel scale from 0 to 8,000 Hz; in float32 like the original's."""
    corners = 700 * (10 ** (torch.linspace(0, 2595 * math.log10(1 + RATE / 2 / 700), BANDS + 2) / 2595) - 1)
    bins = torch.linspace(0, RATE / 2, NFFT // 2 + 1)
    left, middle, right = (corners[i : BANDS + i, None] for i in range(3))
    return torch.minimum((bins - left) / (middle - left), (right - bins) / (right - middle)).clamp_min(0)
