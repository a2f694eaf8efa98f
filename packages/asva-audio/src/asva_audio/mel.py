"""Log-mel spectrograms as ImageBind expects them (KeyVID, section 3.2: audio features), batched."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# ImageBind normalises with (x - mean) / (2 * std) of its training set; zero padding is added before that.
MEL_MEAN = -4.268
MEL_SCALE = 9.138
PRE_EMPHASIS = 0.97
LOG_FLOOR = torch.finfo(torch.float32).eps


def imagebind_mel(
    waveform: Tensor, *, sample_rate: int = 16000, num_mel_bins: int = 128, num_frames: int = 204
) -> Tensor:
    """Normalised Kaldi log-mel filter bank: 25 ms Hann windows every 10 ms, no dither.

    Equal to ``torchaudio.compliance.kaldi.fbank`` clip by clip, for a whole batch at once and on any device.
    Two seconds give 198 frames; missing frames are zeros *before* the normalisation, surplus ones are cut.

    Args:
        waveform: (b, s) or (s,) mono sound, about [-1, 1].
        sample_rate: Rate of ``waveform`` in Hz; ImageBind was trained at 16000.
        num_mel_bins: Number of mel bands f between 20 Hz and half the rate.
        num_frames: Number of spectrogram frames of the result.

    Returns:
        (b, 1, f, num_frames) float32, about zero mean and standard deviation 0.5.

    Raises:
        ValueError: If the shape is not (b, s) or (s,), or the sound is shorter than one 25 ms window.
    """
    if waveform.ndim not in (1, 2):
        raise ValueError(f"`waveform` must have shape (b, s) or (s,), got {tuple(waveform.shape)}.")
    size, shift = sample_rate * 25 // 1000, sample_rate // 100
    if waveform.shape[-1] < size:
        raise ValueError(
            f"`waveform` must hold at least {size} samples (25 ms), got {waveform.shape[-1]}; pad it with `fit`."
        )
    clips = waveform.float().reshape(-1, waveform.shape[-1])
    # On a CPU the temporaries of two clips stay in the cache, which halves the time of a large batch.
    parts = clips.split(2) if clips.device.type == "cpu" else (clips,)
    with torch.autocast(clips.device.type, enabled=False):
        log_mel = torch.cat([_log_mel(part, sample_rate, size, shift, num_mel_bins) for part in parts])
    log_mel = log_mel[:, :num_frames]
    log_mel = F.pad(log_mel, (0, 0, 0, num_frames - log_mel.shape[1]))
    return ((log_mel - MEL_MEAN) / MEL_SCALE).transpose(1, 2).unsqueeze(1)


def null_mel(
    batch: int = 1,
    *,
    num_mel_bins: int = 128,
    num_frames: int = 204,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The "no sound" condition of KeyVID: zeros in normalised mel space (not the mel of silence).

    Returns:
        (batch, 1, num_mel_bins, num_frames) zeros.
    """
    return torch.zeros(batch, 1, num_mel_bins, num_frames, device=device, dtype=dtype)


def _log_mel(waveform: Tensor, sample_rate: int, size: int, shift: int, num_mel_bins: int) -> Tensor:
    """(b, s) -> (b, frames, f) unnormalised log-mel energies."""
    window, banks = _filters(sample_rate, size, num_mel_bins)
    frames = (waveform - waveform.mean(-1, keepdim=True)).unfold(-1, size, shift)
    frames = frames - frames.mean(-1, keepdim=True)
    previous = torch.cat((frames[..., :1], frames[..., :-1]), dim=-1)
    # Product and difference are rounded one after the other as in torchaudio: quiet bands show it.
    frames = (frames - PRE_EMPHASIS * previous) * window.to(waveform.device)
    power = torch.fft.rfft(frames, n=2 * (banks.shape[0] - 1)).abs().square()
    return (power @ banks.to(waveform.device)).clamp_min(LOG_FLOOR).log()


@lru_cache(maxsize=8)
def _filters(sample_rate: int, size: int, num_mel_bins: int) -> tuple[Tensor, Tensor]:
    """Hann window (size,) and mel banks (size' / 2 + 1, f), size' the next power of two."""
    from torchaudio.compliance.kaldi import get_mel_banks

    padded = 1 << (size - 1).bit_length()
    banks, _ = get_mel_banks(num_mel_bins, padded, float(sample_rate), 20.0, 0.0, 100.0, -500.0, 1.0)
    return torch.hann_window(size, periodic=False), F.pad(banks.float(), (0, 1)).T.contiguous()
