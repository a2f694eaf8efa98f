"""Kaldi's log-mel filter bank for a whole batch: the common part of the spectrograms of ImageBind and BEATs."""

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

PRE_EMPHASIS = 0.97
LOG_FLOOR = torch.finfo(torch.float32).eps

Window = Literal["hanning", "povey"]


def filterbank(waveform: Tensor, *, sample_rate: int, num_mel_bins: int, window: Window) -> Tensor:
    """Log-mel energies of 25 ms windows every 10 ms, no dither, whole windows only.

    Equal to ``torchaudio.compliance.kaldi.fbank`` clip by clip, for a whole batch at once and on any device.

    Args:
        waveform: (b, s) mono sound.
        sample_rate: Rate of ``waveform`` in Hz.
        num_mel_bins: Number of mel bands f between 20 Hz and half the rate.
        window: Shape of the window; Povey's is Hann's to the power of 0.85.

    Returns:
        (b, frames, f) float32; two seconds give 198 frames.

    Raises:
        ValueError: If the sound is shorter than one window.
    """
    size, shift = sample_rate * 25 // 1000, sample_rate // 100
    if waveform.shape[-1] < size:
        raise ValueError(
            f"`waveform` must hold at least {size} samples (25 ms), got {waveform.shape[-1]}; pad it with `fit`."
        )
    clips = waveform.float()
    # On a CPU the temporaries of two clips stay in the cache, which halves the time of a large batch.
    parts = clips.split(2) if clips.device.type == "cpu" else (clips,)
    weights = _filters(sample_rate, size, num_mel_bins, window)
    device = "cpu" if clips.is_meta else clips.device.type  # the meta device, of shapes alone, has no autocast
    with torch.autocast(device, enabled=False):
        return torch.cat([_log_mel(part, shift, *(w.to(part.device) for w in weights)) for part in parts])


def _log_mel(waveform: Tensor, shift: int, window: Tensor, banks: Tensor) -> Tensor:
    frames = waveform.unfold(-1, len(window), shift)
    frames = frames - frames.mean(-1, keepdim=True)
    previous = torch.cat((frames[..., :1], frames[..., :-1]), dim=-1)
    # Product and difference are rounded one after the other as in torchaudio: quiet bands show it.
    frames = (frames - PRE_EMPHASIS * previous) * window
    power = torch.fft.rfft(frames, n=2 * (banks.shape[0] - 1)).abs().square()
    return (power @ banks).clamp_min(LOG_FLOOR).log()


@lru_cache(maxsize=8)
def _filters(sample_rate: int, size: int, num_mel_bins: int, window: Window) -> tuple[Tensor, Tensor]:
    """Window (size,) and mel banks (size' / 2 + 1, f), size' the next power of two."""
    from torchaudio.compliance.kaldi import get_mel_banks

    padded = 1 << (size - 1).bit_length()
    banks, _ = get_mel_banks(num_mel_bins, padded, float(sample_rate), 20.0, 0.0, 100.0, -500.0, 1.0)
    shape = torch.hann_window(size, periodic=False)
    return shape.pow(0.85) if window == "povey" else shape, F.pad(banks.float(), (0, 1)).T.contiguous()
