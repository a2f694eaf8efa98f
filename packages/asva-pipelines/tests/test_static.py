"""The static baseline, and how loud a sound is during each frame."""

import numpy as np
import pytest
import torch

from asva_pipelines import StaticPipeline, frame_amplitude

PICTURE = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)


def beats(*loudness):
    """Two seconds in which each equal piece has a loudness of its own."""
    tone = torch.sin(torch.arange(32000) / 5)
    return torch.tensor(loudness).repeat_interleave(32000 // len(loudness)) * tone


def test_amplitude_is_relative_to_the_loudest():
    loud = frame_amplitude(beats(0.1, 0.4, 0.2, 0.0), 4, smoothing=1)
    torch.testing.assert_close(loud, torch.tensor([0.25, 1.0, 0.5, 0.0]), atol=1e-3, rtol=0)
    assert torch.equal(frame_amplitude(torch.zeros(100), 4), torch.zeros(4))


def test_smoothing_takes_the_mean_of_neighbours():
    sharp = frame_amplitude(beats(0.0, 0.9, 0.0, 0.0), 4, smoothing=1)
    smooth = frame_amplitude(beats(0.0, 0.9, 0.0, 0.0), 4, smoothing=3)
    expected = torch.stack([sharp[:2].mean(), sharp[:3].mean(), sharp[1:].mean(), sharp[2:].mean()])
    torch.testing.assert_close(smooth, expected / expected.max())


@pytest.mark.parametrize("smoothing", [0, 2, 1.5])
def test_smoothing_must_be_odd(smoothing):
    with pytest.raises(ValueError, match="`smoothing` must be an odd number"):
        frame_amplitude(torch.zeros(100), 4, smoothing=smoothing)


def test_static_repeats_the_picture():
    out = StaticPipeline()(PICTURE, beats(0.1, 0.9), sample_rate=16000, height=16, width=16, fps=12)
    assert out.frames.shape == (24, 16, 16, 3) and out.fps == 12 and out.waveform.shape == (1, 32000)
    assert (out.frames == PICTURE).all()


def test_static_saved_and_read_is_the_same(tmp_path):
    StaticPipeline(num_frames=3, fps=1.5, height=8, width=8).save_pretrained(tmp_path)
    out = StaticPipeline.from_pretrained(tmp_path)([PICTURE, PICTURE], output_type="pt")
    assert out.frames.shape == (2, 3, 3, 8, 8) and out.frames.max() <= 1


@pytest.mark.parametrize(
    ("options", "named"),
    [({"height": 15}, "`height`"), ({"fps": 0.7}, "`fps`"), ({"output_type": "latent"}, "`output_type`")],
)
def test_static_names_bad_arguments(options, named):
    with pytest.raises(ValueError, match=named):
        StaticPipeline()(PICTURE, **options)
