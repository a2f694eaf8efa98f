"""Cutting, padding and resampling by seconds."""

import math

import pytest
import torch
from torchaudio import functional

from asva_audio import Audio, cut, fit, official_stereo_scramble, resample, sound


def test_cut_and_fit_count_seconds(generator):
    audio = Audio(torch.randn(2, 1000, generator=generator), 500)
    assert audio.duration == 2.0
    torch.testing.assert_close(cut(audio, 0.5, 1).waveform, audio.waveform[:, 250:750])
    torch.testing.assert_close(cut(audio, 1.5).waveform, audio.waveform[:, 750:])
    longer = fit(audio, 2.5).waveform
    torch.testing.assert_close(longer[:, :1000], audio.waveform)
    assert longer.shape == (2, 1250) and not longer[:, 1000:].any()
    torch.testing.assert_close(fit(audio, 0.1).waveform, audio.waveform[:, :50])


def test_wrong_arguments_are_named():
    audio = Audio(torch.zeros(1, 100), 100)
    with pytest.raises(ValueError, match="`start` must lie before the end of the sound at 1 s, got 1"):
        cut(audio, 1.0)
    with pytest.raises(ValueError, match="`duration` must be a positive number of seconds, got 0"):
        fit(audio, 0)
    with pytest.raises(ValueError, match=r"`waveform` must be float32 of shape \(c, s\)"):
        Audio(torch.zeros(100), 100)
    with pytest.raises(ValueError, match="`sample_rate` must be at least 1, got 0"):
        Audio(torch.zeros(1, 100), 0)
    with pytest.raises(ValueError, match=r"`orig` must be a positive whole number of Hz, got 0\.5"):
        resample(audio.waveform, 0.5, 100)


RATES = [(44100, 16000), (8000, 16000), (48000, 16000), (16000, 44100), (16000, 16000)]


@pytest.mark.parametrize(("orig", "new"), RATES)
def test_resampling_equals_torchaudio_in_both_ways(generator, monkeypatch, orig, new):
    waveform = torch.randn(2, 3001, generator=generator)
    expected = functional.resample(waveform, orig, new)
    torch.testing.assert_close(resample(waveform, orig, new), expected, rtol=0, atol=0)
    monkeypatch.setattr(sound, "FILTER_LIMIT", 0)
    # torchaudio rounds its phases to float32.
    torch.testing.assert_close(resample(waveform, orig, new), expected, rtol=0, atol=1e-4)


def test_unrelated_rates_need_little_memory():
    seconds = torch.arange(11127) / 11127
    resampled = resample(torch.sin(2 * math.pi * 440 * seconds), 11127, 16000)
    expected = torch.sin(2 * math.pi * 440 * torch.arange(16000) / 16000)
    assert resampled.shape == (16000,)
    torch.testing.assert_close(resampled[100:-100], expected[100:-100], rtol=0, atol=1e-2)


def test_the_scramble_reads_interleaved_samples_as_two_halves():
    stereo = torch.tensor([[1.0, 3, 5, 7], [2, 4, 6, 8]])
    torch.testing.assert_close(official_stereo_scramble(stereo), torch.arange(1.0, 9).view(2, 4))
    mono = stereo[:1]
    torch.testing.assert_close(official_stereo_scramble(mono), mono)
