"""Five pieces of a spectrogram, as TPoS hears a sound (TPoS, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

SAMPLE_RATE, N_FFT, HOP = 44100, 1024, 512
SEGMENTS, BANDS, COLUMNS = 5, 128, 153  # a piece is 1.78 s
CANVAS, KEPT = 864, 768  # columns on which a sound lies, and those that are kept of them
LONGEST = 8640
SHIFT = 18
FLOOR = 1e-5  # -100 dB


def spectrogram(waveform: Tensor) -> Tensor:
    """Decibels (513, columns) of samples (s,) at 44.1 kHz; 1 is 0 dB, and 0 is -80 dB or as far below the loudest."""
    window = torch.hann_window(N_FFT, dtype=torch.float64).to(waveform)
    size = torch.stft(waveform, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True).abs()
    loud = 20 * size.clamp(min=FLOOR).log10()
    return loud.clamp(min=loud.max() - 80) / 80 + 1


def draw_places(columns: int, generator: torch.Generator) -> list[int]:
    """Where the original puts a sound of some columns, and by how many columns it moves each piece: six numbers."""
    spare = max(abs(CANVAS - min(columns, LONGEST)), 1)
    ends = [spare, *[SHIFT + 1] * SEGMENTS]
    return [int(torch.randint(end, (), generator=generator)) for end in ends]


def placed_segments(sound: Tensor, places: Sequence[int]) -> Tensor:
    """Pieces (5, 128, 153) as the original cuts them: the sound lies anywhere on ten seconds, each piece moved.

    Args:
        sound: (513, columns), see :func:`spectrogram`.
        places: See :func:`draw_places`.
    """
    start, *shifts = places
    sound = sound[:, :LONGEST]
    if sound.shape[1] < CANVAS:
        canvas = F.pad(sound, (start, CANVAS - start - sound.shape[1]))
    else:
        canvas = sound[:, start : start + CANVAS]
    pieces = _resized(canvas[:, :KEPT], KEPT)[:, : SEGMENTS * COLUMNS].unflatten(1, (SEGMENTS, COLUMNS)).unbind(1)
    moved = [F.pad(piece, (shift, 0))[:, :COLUMNS] for piece, shift in zip(pieces, shifts, strict=True)]
    return torch.stack(moved)


def even_segments(sound: Tensor) -> Tensor:
    """Pieces (5, 128, 153) of equal length, in their order: ours, so that nothing is left to chance.

    The sound is stretched or squeezed to what five pieces hold, and each of them hears a fifth of it.
    """
    return _resized(sound, SEGMENTS * COLUMNS).unflatten(1, (SEGMENTS, COLUMNS)).transpose(0, 1)


def _resized(sound: Tensor, columns: int) -> Tensor:
    return F.interpolate(sound[None, None], (BANDS, columns), mode="bilinear", align_corners=False)[0, 0]
