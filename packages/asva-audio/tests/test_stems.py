"""Tracks that are given or made: their sums, and what does not fit together."""

import math
from dataclasses import FrozenInstanceError

import pytest
import torch

from asva_audio import Audio, GivenStems, Stems, level


@pytest.fixture
def tracks(generator):
    return [Audio(0.2 * torch.randn(2, 500, generator=generator), 8000) for _ in range(3)]


def test_the_sum_of_the_tracks_is_the_mix(tracks):
    stems = Stems.of(*tracks)
    torch.testing.assert_close(stems.mix, sum(track.waveform for track in tracks))
    assert [name for name, _ in stems.items()] == ["speech", "effects", "music"]
    alone = Stems.of(music=tracks[0])
    assert not alone.speech.any() and not alone.effects.any() and alone.sample_rate == 8000
    with pytest.raises(FrozenInstanceError):
        stems.speech = stems.music


@pytest.mark.parametrize("rest", ["speech", "effects", "music"])
def test_the_rest_goes_to_the_track_that_is_named(tracks, rest):
    mix = Stems.of(*tracks).mix
    demixer = GivenStems(speech=tracks[0], rest=rest)
    stems = demixer(mix, 8000)
    torch.testing.assert_close(stems.mix, mix, rtol=0, atol=1e-6)
    left = mix - tracks[0].waveform
    torch.testing.assert_close(demixer.rest_of(mix, 8000), left)
    expected = left + tracks[0].waveform if rest == "speech" else left
    torch.testing.assert_close(getattr(stems, rest), expected)
    if rest != "speech":
        torch.testing.assert_close(stems.speech, tracks[0].waveform, rtol=0, atol=0)


def test_all_three_tracks_leave_nothing(tracks):
    mix = Stems.of(*tracks).mix
    stems = GivenStems(*tracks, rest=None)(mix, 8000)
    torch.testing.assert_close(stems.music, tracks[2].waveform, rtol=0, atol=0)
    torch.testing.assert_close(stems.mix, mix, rtol=0, atol=1e-6)
    with pytest.raises(
        ValueError, match=r"`rest` must name the track that takes what .* leave \(-1\d\.\d dBFS\), got No"
    ):
        GivenStems(*tracks[:2], rest=None)(mix, 8000)


def test_tracks_that_do_not_fit(tracks):
    mix = Stems.of(*tracks).mix
    short, slow = Audio(tracks[1].waveform[:, :499], 8000), Audio(tracks[1].waveform, 16000)
    mono, empty = Audio(tracks[1].waveform[:1], 8000), Audio(torch.zeros(2, 0), 8000)
    bad = Audio(torch.full((2, 500), math.nan), 8000)
    for other, complaint in (
        (short, r"`effects` must be as long as the sound, 500 samples, got 499; use `fit` or `cut`"),
        (slow, r"`effects` must have the rate of the sound, 8000 Hz, got 16000 Hz; use `resample`"),
        (mono, r"`effects` must have the channels of the sound, 2, got 1"),
        (empty, r"`effects` must hold at least one sample, got shape \(2, 0\)"),
        (bad, r"`effects` must be finite, got NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=complaint):
            GivenStems(effects=other)(mix, 8000)
        with pytest.raises(ValueError, match=complaint.replace("the sound", "`speech`")):
            Stems.of(tracks[0], other)
    with pytest.raises(ValueError, match="`speech`, `effects` or `music` must be given, got none"):
        Stems.of()
    with pytest.raises(ValueError, match="`speech`, `effects` or `music` must be given, got none"):
        GivenStems()
    with pytest.raises(ValueError, match="`rest` must be one of speech, effects, music or None, got 'voice'"):
        GivenStems(speech=tracks[0], rest="voice")


def test_stems_of_unlike_tensors():
    with pytest.raises(ValueError, match=r"`music` must have the shape of `speech`, \(1, 5\), got \(1, 4\)"):
        Stems(torch.zeros(1, 5), torch.zeros(1, 5), torch.zeros(1, 4), 8000)
    with pytest.raises(
        ValueError, match=r"`speech` must be float32 of shape \(c, s\), got torch\.float32 of shape \(5,\)"
    ):
        Stems(*torch.zeros(3, 5), 8000)
    with pytest.raises(ValueError, match="`sample_rate` must be a positive whole number of Hz, got 0"):
        Stems(*torch.zeros(3, 1, 5), 0)


def test_levels_in_decibels():
    assert level(torch.full((2, 9), -1.0)) == 0
    assert level(torch.tensor([[0.1, -0.1]])) == pytest.approx(-20)
    assert level(torch.zeros(1, 3)) == -math.inf
