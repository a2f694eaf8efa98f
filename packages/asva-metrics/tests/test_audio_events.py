"""Audio events: knocks at known times, in hiss, at other rates; nothing in silence; errors at the door."""

import numpy as np
import pytest

from asva_metrics import audio_events, sound_envelope, sound_growth

TIMES = np.array([0.31, 0.77, 1.402, 1.8])


def knocks(rate=16000, noise=0.0, seconds=2.0, times=TIMES, seed=0):
    rng = np.random.default_rng(seed)
    sound = noise * rng.standard_normal(round(seconds * rate))
    for time in times:
        start = round(time * rate)
        tail = np.arange(min(round(0.15 * rate), len(sound) - start)) / rate
        sound[start : start + len(tail)] += 0.5 * np.exp(-tail / 0.03) * np.sin(2 * np.pi * 900 * tail)
    return sound


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.003])
def test_knocks_are_found_to_milliseconds(rate, noise):
    found = audio_events(knocks(rate, noise), rate)
    np.testing.assert_allclose(found, TIMES, atol=0.008)


def test_level_and_channels_do_not_matter():
    sound = knocks(noise=1e-4)
    expected = audio_events(sound, 16000)
    np.testing.assert_allclose(audio_events(0.01 * sound, 16000), expected, atol=1e-3)
    np.testing.assert_allclose(audio_events(np.stack([sound, sound]), 16000), expected, atol=1e-9)


def test_what_is_far_below_the_loudest_is_no_event():
    sound = knocks(times=[0.5]) + 1e-2 * knocks(times=[1.5])
    assert len(audio_events(sound, 16000)) == 1
    assert len(audio_events(sound, 16000, level=-80.0, prominence=0.02, floor=0.5)) == 2


def test_silence_and_steady_sound_have_no_events():
    assert audio_events(np.zeros(32000), 16000).size == 0
    assert audio_events(np.full(32000, 1e-6), 16000).size == 0
    assert not sound_growth(np.zeros(32000), 16000).any()
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)
    assert audio_events(tone, 16000).size == 0
    hiss = 0.1 * np.random.default_rng(0).standard_normal(64000)
    assert audio_events(hiss, 16000).size == 0
    assert audio_events(tone, 16000, floor=0.0).size  # flutter


def test_growth_has_one_value_every_five_milliseconds():
    growth = sound_growth(knocks(44100), 44100)
    assert growth.shape == (400,) and growth.min() >= 0
    assert abs(growth[:100].argmax() / 200 + 0.008 - 0.31) < 0.006


def test_envelope_stands_at_the_frames():
    for fps in (6.0, 24.0):
        envelope = sound_envelope(knocks(times=[0.5, 1.5]), 16000, fps, round(2 * fps))
        assert envelope.shape == (round(2 * fps),)
        assert set(np.argsort(envelope)[-2:]) == {round(0.5 * fps), round(1.5 * fps)}
    assert sound_envelope(knocks(), 16000, 24.0, 72)[60:].max() == 0  # beyond the sound there is none


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: audio_events(np.zeros(100), 16000), "`waveform` must hold at least 800 samples"),
        (lambda: audio_events(np.full(16000, np.nan), 16000), "`waveform` must be finite"),
        (lambda: audio_events(np.zeros(16000), 100), "`sample_rate` must be at least 2000"),
        (lambda: audio_events(np.zeros(16000), 16000, prominence=2), "`prominence` must lie between 0 and 1"),
        (lambda: audio_events(np.zeros(16000), 16000, min_gap=-1), "`min_gap` must be at least 0"),
        (lambda: sound_envelope(np.zeros(16000), 16000, 0.0, 8), "`fps` must be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
