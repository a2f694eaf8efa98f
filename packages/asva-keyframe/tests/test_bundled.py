"""The bundled localizer, and curves of sounds with and without it."""

import numpy as np
import pytest
import torch

from asva_audio import Audio
from asva_keyframe import load_bundled_localizer, sound_curve

RATE = 16000


@pytest.fixture(scope="module")
def knocks():
    """Three seconds with a decaying noise at each of three times."""
    generator, sound = torch.Generator().manual_seed(0), torch.zeros(1, 3 * RATE)
    for second in (0.5, 1.25, 2.5):
        start = int(second * RATE)
        sound[0, start : start + 800] = torch.randn(800, generator=generator) * torch.linspace(0.8, 0, 800)
    return Audio(sound, RATE)


def test_the_bundled_localizer_is_whole_and_at_rest():
    localizer = load_bundled_localizer()
    assert not localizer.training and localizer.config.num_frames == 48 and localizer.config.head == "columns"
    assert all(value.isfinite().all() and value.dtype == torch.float32 for value in localizer.parameters())


def test_it_hears_knocks_and_nothing_in_silence(knocks):
    curve = sound_curve(knocks)
    silence = sound_curve(Audio(torch.zeros(1, 3 * RATE), RATE))
    assert curve.shape == silence.shape == (72,) and curve.dtype == np.float32
    assert curve.max() > silence.max() + 0.3


def test_without_weights(knocks):
    onsets, loudness = (sound_curve(knocks, rule=rule) for rule in ("onsets", "loudness"))
    assert np.flatnonzero(onsets > 0.3).tolist() == [12, 30, 60]
    assert loudness.max() == 1 and sound_curve(knocks, rule="loudness", fps=6).size == 18


def test_refusals(knocks):
    with pytest.raises(ValueError, match="`rule` must be one of localizer, loudness, onsets, got taste"):
        sound_curve(knocks, rule="taste")
    with pytest.raises(ValueError, match="`fps` must be 24 with the localizer, got 30"):
        sound_curve(knocks, fps=30)
