"""Blended noise: a loop in float64, its properties, and the original's numbers (parity i_noise_interp_*)."""

import itertools
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asva_interp import blend_noise

FOLDER = Path(os.environ["ASVA_PARITY_DIR"]) / "keyvid"
FIXTURES = sorted(FOLDER.glob("i_noise_interp_*.safetensors"))


def naive(noise, indices, swapped):
    """Frame by frame, sample by sample."""
    result = noise.clone()
    last = noise.shape[1] - 1
    for sample, keyframes in enumerate(indices.tolist()):
        anchors = sorted({*keyframes, last})
        for left, right in itertools.pairwise(anchors):
            for frame in range(left + 1, right):
                near_right = (frame - left) / (right - left)
                near_right = 1 - near_right if swapped else near_right
                result[sample, frame] = (1 - near_right) * noise[sample, left] + near_right * noise[sample, right]
    return result


@pytest.mark.skipif(not FIXTURES, reason=f"no parity fixtures i_noise_interp_* under {FOLDER}; set ASVA_PARITY_DIR")
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_matches_the_original(path):
    tensors = load_file(path)
    for case in range(len(json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["cases"])):
        noise = tensors[f"in/base_noise_{case}"][0].transpose(1, 2)
        blended = blend_noise(noise, tensors[f"in/keyframes_{case}"][None], "official")
        expected = tensors[f"out/x_T_{case}"][0].transpose(1, 2)
        torch.testing.assert_close(blended, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rule", ["official", "linear"])
def test_equals_a_loop_with_other_keyframes_in_every_sample(rule):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 20, 2, 3, 4, generator=generator, dtype=torch.float64)
    indices = torch.tensor([[0, 4, 9, 19], [3, 5, 6, 11], [0, 1, 2, 3]])
    expected = naive(noise, indices, swapped=rule == "official")
    torch.testing.assert_close(blend_noise(noise, indices, rule), expected, rtol=1e-6, atol=1e-6)


def test_linear_stays_near_the_nearer_keyframe():
    noise = torch.zeros(1, 11, 1, 1, 1)
    noise[0, 10] = 1.0
    blended = blend_noise(noise, torch.tensor([[0, 10]]), "linear").flatten()
    torch.testing.assert_close(blended, torch.linspace(0, 1, 11), rtol=0, atol=1e-6)
    official = blend_noise(noise, torch.tensor([[0, 10]]), "official").flatten()
    torch.testing.assert_close(official[1:-1], blended[1:-1].flip(0), rtol=0, atol=1e-6)


def test_unit_variance_keeps_standard_noise():
    noise = torch.randn(4, 48, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    indices = torch.arange(0, 48, 4).expand(4, -1)
    between = torch.arange(48) % 4 != 0
    assert blend_noise(noise, indices)[:, between].std() < 0.9
    assert blend_noise(noise, indices, "linear", unit_variance=True)[:, between].std() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("indices", "rule", "message"),
    [
        ([[0, 5]], "spline", "`rule` must be one of"),
        ([[5, 0]], "official", "must rise strictly"),
        ([[0, 0]], "official", "must rise strictly"),
        ([[0, 9]], "official", r"must lie in \[0, 7\]"),
        ([[0], [1]], "official", "must have shape"),
        ([[0.5]], "official", "must be integers"),
    ],
)
def test_refuses(indices, rule, message):
    with pytest.raises(ValueError, match=message):
        blend_noise(torch.zeros(1, 8, 1, 1, 1), torch.tensor(indices), rule)
