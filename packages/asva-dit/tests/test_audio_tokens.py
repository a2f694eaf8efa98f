"""Audio tokens: lengths, forms, what reaches which latent frame."""

import pytest
import torch

from asva_dit import AudioTokens

SMALL = {"layers": 2, "channels": 6, "hidden_dim": 16, "num_tokens": 3, "dim": 8}


@pytest.mark.parametrize("temporal", ["token_conv", "tied_conv", "mean"])
@pytest.mark.parametrize(("frames", "latent"), [(1, 1), (5, 2), (9, 3), (49, 13)])
def test_frames_become_latent_frames(temporal, frames, latent, generator):
    tokens = AudioTokens(**SMALL, temporal=temporal)(torch.randn(2, frames, 5, 2, 6, generator=generator))
    assert tokens.shape == (2, latent, 3, 8)


def test_the_light_form_convolves_each_token_alone(generator):
    """Written out with loops; the tied form with a block of zeros between tokens is the same."""
    light, tied = (AudioTokens(**SMALL, temporal=temporal) for temporal in ("token_conv", "tied_conv"))
    state = light.state_dict()
    state["halve.weight"] = torch.zeros(24, 24, 2)
    for token in range(3):
        rows = slice(8 * token, 8 * token + 8)
        state["halve.weight"][rows, rows] = light.halve.weight.detach()
    state["halve.bias"] = light.halve.bias.detach().repeat(3)
    tied.load_state_dict(state)
    features = torch.randn(1, 9, 5, 2, 6, generator=generator)
    torch.testing.assert_close(light(features), tied(features), rtol=0, atol=1e-5)


@pytest.mark.parametrize("temporal", ["token_conv", "tied_conv", "mean"])
def test_a_latent_frame_hears_its_four_frames(temporal, generator):
    module = AudioTokens(**SMALL, temporal=temporal)
    features = torch.randn(1, 9, 5, 2, 6, generator=generator)
    before = module(features)
    for frame, latent in enumerate([0, 1, 1, 1, 1, 2, 2, 2, 2]):
        changed = features.clone()
        changed[:, frame] += 1
        assert (module(changed) != before).flatten(2).any(dim=2)[0].nonzero().flatten().tolist() == [latent]


def test_an_unknown_form_is_an_error():
    with pytest.raises(ValueError, match="`temporal` must be one of"):
        AudioTokens(**SMALL, temporal="conv")
