"""The masks that need nothing: what they must keep, whom they hear, and what they cannot take."""

import math

import pytest
import torch

from asva_audio import MaskDemixer, demix_cues
from asva_audio.demix_masks import BIAS, WEIGHTS, soft_masks, spectrum_of

RATE = 16000
TIME = torch.arange(2 * RATE) / RATE


def tone():
    """A chord that lasts."""
    return 0.1 * sum(torch.sin(2 * math.pi * hertz * TIME) for hertz in (220, 277, 330, 440))


def voice():
    """Two syllables whose pitch glides."""
    pitch = 140 * 2 ** (0.4 * torch.sin(2 * math.pi * 1.5 * TIME))
    phase = 2 * math.pi * torch.cumsum(pitch, 0) / RATE
    harmonics = sum(torch.sin(number * phase) / number for number in range(1, 20))
    return 0.15 * harmonics * (torch.sin(2 * math.pi * 1.25 * TIME) > 0)


def clicks(generator):
    """Bursts of noise, four a second."""
    return 0.6 * torch.randn(len(TIME), generator=generator) * torch.exp(-(TIME % 0.5) / 0.01)


@pytest.mark.parametrize(
    ("channels", "samples", "rate"),
    [(1, RATE, RATE), (2, 22050, 44100), (6, 9600, 48000), (1, 1, RATE), (2, 3, 44100), (1, 999, 8000), (1, 50, 8)],
)
def test_the_tracks_sum_to_the_mix(generator, channels, samples, rate):
    waveform = 0.3 * torch.randn(channels, samples, generator=generator)
    stems = MaskDemixer()(waveform, rate)
    torch.testing.assert_close(stems.mix, waveform, rtol=0, atol=1e-6)
    assert stems.sample_rate == rate and all(track.isfinite().all() for _, track in stems.items())


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_silence_stays_silent(rate):
    stems = MaskDemixer()(torch.zeros(2, 5000), rate)
    assert not any(track.any() for _, track in stems.items())


def test_each_kind_of_sound_goes_mostly_to_its_track(generator):
    for index, sound in enumerate((voice(), clicks(generator), tone())):
        stems = MaskDemixer()(sound[None], RATE)
        energies = torch.stack([track.square().sum() for _, track in stems.items()])
        assert energies.argmax() == index, energies


def test_the_level_does_not_matter_and_channels_share_the_masks(generator):
    sound = voice() + clicks(generator) + tone()
    loud, quiet = MaskDemixer()(sound[None], RATE), MaskDemixer()(0.01 * sound[None], RATE)
    torch.testing.assert_close(0.01 * loud.speech, quiet.speech, rtol=0, atol=1e-5)
    both = MaskDemixer()(torch.stack((sound, sound)), RATE)
    torch.testing.assert_close(both.music, loud.music.expand(2, -1), rtol=0, atol=1e-5)


def test_masks_share_every_bin_out(generator):
    cues = demix_cues.demix_cues(spectrum_of(torch.randn(1, 8000, generator=generator), RATE))
    assert cues.shape == (513, 32, len(demix_cues.NAMES)) and list(WEIGHTS) == list(demix_cues.NAMES)
    masks = soft_masks(cues)
    torch.testing.assert_close(masks.sum(-1), torch.ones(513, 32))
    expected = [sum(WEIGHTS[n][k] * cues[7, 5, i].item() for i, n in enumerate(WEIGHTS)) + BIAS[k] for k in range(3)]
    torch.testing.assert_close(masks[7, 5], torch.tensor(expected).softmax(-1), rtol=0, atol=1e-4)


def test_the_running_median_is_a_median(generator):
    values = torch.randn(70, 9, generator=generator)
    for dim in (0, 1):
        found = demix_cues.running_median(values, 5, dim)
        for row in range(70):
            for column in range(9):
                place, count = (row, 70) if dim == 0 else (column, 9)
                near = [min(max(place + offset, 0), count - 1) for offset in range(-2, 3)]
                line = values[:, column] if dim == 0 else values[row]
                assert found[row, column] == line[near].median()


def test_what_cannot_be_taken_apart():
    demix = MaskDemixer()
    with pytest.raises(ValueError, match="`waveform` must be finite, got NaN or infinity"):
        demix(torch.tensor([[0.0, math.nan]]), RATE)
    with pytest.raises(ValueError, match=r"`waveform` must hold at least one sample, got shape \(1, 0\)"):
        demix(torch.zeros(1, 0), RATE)
    with pytest.raises(ValueError, match=r"`waveform` must be float32 of shape \(c, s\), got torch\.float64"):
        demix(torch.zeros(1, 9).double(), RATE)
    with pytest.raises(ValueError, match="`sample_rate` must be a positive whole number of Hz, got -1"):
        demix(torch.zeros(1, 9), -1)
