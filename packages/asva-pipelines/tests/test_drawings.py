"""Plots and strips beside a video."""

import numpy as np
import pytest
from PIL import Image

from asva_pipelines.make import drawings


@pytest.mark.parametrize("waveform", [None, np.zeros(10), np.random.default_rng(0).normal(size=(2, 32000)) / 5])
def test_plot_is_a_picture(tmp_path, waveform):
    curve = np.sin(np.arange(48) / 4) ** 2
    drawings.plot_keyframes(
        tmp_path / "a.png", curve, [0, 6, 47], fps=24, waveform=waveform, sample_rate=16000, title="a_$b$ \u6c34.wav"
    )
    assert Image.open(tmp_path / "a.png").size == (1200, 432)


def test_plot_takes_a_curve_that_never_moves(tmp_path):
    drawings.plot_keyframes(tmp_path / "a.png", np.zeros(48), [0], fps=24)
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_strip_shows_every_keyframe():
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (3, 64, 96, 3))
    strip = drawings.keyframe_strip(frames, [0, 20, 47], fps=24)
    assert strip.shape == (146, 3 * 196 - 4, 3)
    for place, colour in enumerate(colours):
        assert (strip[64, place * 196 + 96] == colour).all()


def test_strip_refuses_indices_without_frames():
    with pytest.raises(ValueError, match=r"`frames` must be as many as the indices \(2\), got 1"):
        drawings.keyframe_strip(np.zeros((1, 8, 8, 3), np.uint8), [0, 1], fps=24)
