"""Log-mel spectrograms as ImageBind expects them (KeyVID, section 3.2: audio features), batched."""

import torch
import torch.nn.functional as F
from torch import Tensor

from asva_audio.filterbank import filterbank

# ImageBind normalises with (x - mean) / (2 * std) of its training set; zero padding is added before that.
MEL_MEAN = -4.268
MEL_SCALE = 9.138


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
    clips = waveform.float().reshape(-1, waveform.shape[-1])
    clips = clips - clips.mean(-1, keepdim=True)
    log_mel = filterbank(clips, sample_rate=sample_rate, num_mel_bins=num_mel_bins, window="hanning")
    return normalised_mel(log_mel, num_frames)


def normalised_mel(log_mel: Tensor, num_frames: int) -> Tensor:
    """(b, frames, f) log-mel energies, cut or padded with zeros -> (b, 1, f, num_frames) as ImageBind expects them."""
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
    """The "no sound" condition of KeyVID and AVSyncD: zeros in normalised mel space (not the mel of silence).

    Returns:
        (batch, 1, num_mel_bins, num_frames) zeros.
    """
    return torch.zeros(batch, 1, num_mel_bins, num_frames, device=device, dtype=dtype)
