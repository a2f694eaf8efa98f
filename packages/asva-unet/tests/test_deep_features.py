"""Deep features kept between steps: exact where every call is whole, and cheaper where it is not."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from asva_unet import AVSyncDUNet, DeepFeatures, FeatureCache, Guidance, denoise, make_scheduler

AVSYNCD = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
    "audio_cross_attention_dim": 16,
}


@pytest.fixture(params=["keyvid", "avsyncd"])
def ask(request, make_unet, make_inputs, randomised, generator):
    """Answer of a network to a sample at a step, given what was kept."""
    if request.param == "keyvid":
        unet = make_unet()
        given = make_inputs(unet, size=8)
        encoded = unet.encode_conditions(*(given[f"{name}"] for name in list(given)[2:5]))
        told = {"conditions": encoded, "fps": 6, "frame_indices": given["frame_indices"]}
    else:
        torch.manual_seed(0)
        unet = randomised(AVSyncDUNet(**AVSYNCD)).eval()
        given = {"sample": torch.randn(2, 3, 4, 8, 8, generator=generator)}
        words, sound = torch.randn(2, 5, 16, generator=generator), torch.randn(2, 7, 16, generator=generator)
        told = {"conditions": unet.encode_conditions(words, sound)}

    @torch.no_grad()
    def answer(step, deep=None):
        return unet(given["sample"] + 0.1 * step, 900 - 9 * step, **told, deep_features=deep).sample

    return answer


def test_every_call_is_whole_at_interval_one(ask):
    deep = DeepFeatures(interval=1)
    assert all(torch.equal(ask(step), ask(step, deep)) for step in range(3))
    assert deep.kept is None and FeatureCache(1).of("full") is None


@pytest.mark.parametrize("level", [1, 2])
def test_a_call_between_whole_ones_is_cheap_and_near(ask, level):
    deep, costs, found = DeepFeatures(interval=2, level=level), [], []
    for step in range(4):
        with FlopCounterMode(display=False) as counter:
            found.append(ask(step, deep))
        costs.append(counter.get_total_flops())
    plain = [ask(step) for step in range(4)]
    assert costs[0] == costs[2] > costs[1] == costs[3]
    assert costs[1] < (0.6, 0.95)[level - 1] * costs[0]
    assert torch.equal(found[0], plain[0]) and torch.equal(found[2], plain[2])
    assert 0 < (found[1] - plain[1]).abs().max() < (plain[1] - plain[0]).abs().max() * 3


def test_a_level_that_the_network_lacks_is_refused(ask):
    with pytest.raises(ValueError, match="`cache_level` must be a resolution of the network, 1 to 2"):
        ask(0, DeepFeatures(interval=2, level=3))


def test_branches_keep_their_own():
    cache = FeatureCache(interval=3)
    whole = {"none": [], "full": []}

    def predict(x, t, names):
        deep = cache.of(names)
        deep.begin(2)
        whole[names[0]].append(deep.whole)
        return 0.5 * x

    guidance = Guidance(2.0, 2.0, 2.0, rescale=0.0)
    latents = torch.randn(1, 2, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    denoise(predict, latents, make_scheduler(), 6, guidance=guidance, guidance_range=(0.5, 1.0))
    assert whole == {"none": [True, False, False], "full": [True, False, False, True, False, False]}
