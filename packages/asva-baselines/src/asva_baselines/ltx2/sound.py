"""A sound as LTX-2 hears it: stereo, a log mel spectrogram, the audio autoencoder's mean, one token each 0.04 s."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

from asva_audio import resample

WINDOW = 1024  # samples, of the transform too
QUIETEST = 1e-5


def stereo(waveform: Tensor) -> Tensor:
    """(2, s) of one channel, which is heard on both sides, of two, or of more, which are mixed."""
    return waveform if len(waveform) == 2 else waveform.mean(0, keepdim=True).expand(2, -1)


def log_mel(waveform: Tensor, sample_rate: int, *, bands: int = 64, rate: int = 16000, hop: int = 160) -> Tensor:
    """(b, c, t, f) of sounds (b, c, s), on the CPU.

    Args:
        waveform: In [-1, 1].
        sample_rate: Of the waveform in hertz.
        bands: Mel bands (Slaney's scale and norm), from 0 to half of `rate`.
        rate: Hertz that are heard.
        hop: Samples between two spectra.
    """
    heard = resample(waveform, sample_rate, rate)
    spectra = torch.stft(
        heard.flatten(0, -2), WINDOW, hop, window=torch.hann_window(WINDOW), pad_mode="reflect", return_complex=True
    ).abs()
    bank = mel_filter_bank(WINDOW // 2 + 1, bands, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
    mel = torch.from_numpy(bank).float().T @ spectra
    return mel.clamp(min=QUIETEST).log().transpose(-1, -2).unflatten(0, heard.shape[:-1])


def latent_rate(audio_vae: Any) -> float:
    """Tokens of sound a second."""
    return audio_vae.config.sample_rate / audio_vae.config.mel_hop_length / audio_vae.temporal_compression_ratio


def encode_mel(audio_vae: Any, mel: Tensor) -> Tensor:
    """(b, n, d) normalised tokens of spectrograms (b, 2, t, f): of each moment all channels, one after the other."""
    latents = audio_vae.encode(mel).latent_dist.mode().float()
    mean, std = audio_vae.latents_mean.to(latents), audio_vae.latents_std.to(latents)
    return (latents.transpose(1, 2).flatten(2) - mean) / std


def sound_tokens(audio_vae: Any, waveform: Tensor, sample_rate: int, seconds: float, device: Any) -> Tensor:
    """(1, n, d) of a sound (c, s), silence behind it, which is cut to some seconds.

    Args:
        audio_vae: Of LTX-2.
        waveform: In [-1, 1].
        sample_rate: Of the waveform in hertz.
        seconds: Of the video.
        device: That the autoencoder runs on.
    """
    config = audio_vae.config
    missing = round(seconds * sample_rate) - waveform.shape[-1]
    heard = F.pad(stereo(waveform), (0, missing))[None]
    mel = log_mel(heard, sample_rate, bands=config.mel_bins, rate=config.sample_rate, hop=config.mel_hop_length)
    return encode_mel(audio_vae, mel.to(device, audio_vae.dtype))[:, : round(seconds * latent_rate(audio_vae))]
