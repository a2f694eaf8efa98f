"""The common filter bank against Kaldi's of torchaudio, in both windows."""

import pytest
import torch
from torchaudio.compliance.kaldi import fbank

from asva_audio.filterbank import filterbank


@pytest.mark.parametrize("window", ["hanning", "povey"])
@pytest.mark.parametrize(("rate", "bins"), [(16000, 128), (8000, 40)])
def test_a_batch_equals_torchaudio_clip_by_clip(generator, window, rate, bins):
    waveform = torch.randn(3, 2400, generator=generator) * torch.tensor([1e-5, 0.3, 2**15])[:, None]
    energies = filterbank(waveform, sample_rate=rate, num_mel_bins=bins, window=window)
    for ours, clip in zip(energies, waveform, strict=True):
        expected = fbank(clip[None], sample_frequency=rate, num_mel_bins=bins, window_type=window)
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)


def test_a_sound_needs_one_window():
    with pytest.raises(ValueError, match=r"at least 400 samples \(25 ms\), got 399; pad it with `fit`"):
        filterbank(torch.zeros(1, 399), sample_rate=16000, num_mel_bins=128, window="povey")
