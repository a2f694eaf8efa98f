"""AVSyncD's U-Net just built from Stable Diffusion's: where it equals it, how the new layers start."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from asva_unet import AVSyncDUNet

TEXT, SOUND, MASK = "encoder_hidden_states", "audio_embeds", "audio_mask"
SMALL = {
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "norm_num_groups": 8,
    "cross_attention_dim": 12,
    "attention_head_dim": 2,
}


@pytest.fixture
def given(generator):
    """Two clips of three frames; a frame keeps two audio tokens and the first."""
    mask = torch.tensor([[1, 1, 1, 0, 0, 0], [1, 0, 1, 1, 0, 0], [1, 0, 0, 0, 1, 1]]).bool()
    return {
        "sample": torch.randn(2, 3, 4, 4, 4, generator=generator),
        "timestep": torch.tensor([7, 500]),
        TEXT: torch.randn(2, 5, 12, generator=generator),
        SOUND: torch.randn(2, 6, 10, generator=generator),
        MASK: mask,
    }


def silent(given):
    return {name: value for name, value in given.items() if name not in (SOUND, MASK)}


@pytest.fixture
def unet(randomised):
    return randomised(UNet2DConditionModel(**SMALL)).eval()


@pytest.fixture
def build(unet, generator):
    def build(**changes):
        arguments = {"audio_cross_attention_dim": 10, "generator": generator, **changes}
        return AVSyncDUNet.from_unet2d(unet, **arguments).eval()

    return build


def frame_by_frame(unet, given):
    t = given["sample"].shape[1]
    per_frame = (given["timestep"].repeat_interleave(t), given[TEXT].repeat_interleave(t, dim=0))
    return unet(given["sample"].flatten(0, 1), *per_frame).sample.unflatten(0, (-1, t))


@torch.no_grad()
@pytest.mark.parametrize("size", [(4, 4), (6, 5)])
def test_equals_stable_diffusion_where_all_frames_are_equal(unet, build, given, size, generator):
    given["sample"] = torch.randn(2, 1, 4, *size, generator=generator).expand(-1, 3, -1, -1, -1)
    expected = frame_by_frame(unet, given)
    torch.testing.assert_close(build()(**given).sample, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(build(audio=False)(**silent(given)).sample, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_equals_stable_diffusion_on_frame_0_if_frames_are_normalised_apart(unet, build, given):
    result, expected = build(norm_over_frames=False)(**given).sample, frame_by_frame(unet, given)
    torch.testing.assert_close(result[:, 0], expected[:, 0], rtol=0, atol=1e-5)
    assert (result[:, 1:] - expected[:, 1:]).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("first_frame_conv", [True, False])
def test_equals_stable_diffusion_if_frames_look_at_themselves(unet, build, given, first_frame_conv):
    model = build(norm_over_frames=False, first_frame_attention=False, first_frame_conv=first_frame_conv)
    expected = frame_by_frame(unet, given)
    torch.testing.assert_close(model(**given).sample, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_original_start(unet, build, given):
    """What is zero there and what is not (the released training began so)."""
    model = build(initialization="official")
    zero = {name for name, parameter in model.trainable_parameters().items() if not parameter.any()}
    families = {name.rpartition("transformer_blocks.0.")[2] for name in zero if "conv_temp" not in name}
    assert families == {"norm_audio.bias", "norm_temp.bias", "attn_temp.to_out.0.weight"}
    assert zero.issuperset(name for name in model.trainable_parameters() if "conv_temp" in name)
    weight = model.mid_block.attentions[0].block.attn_audio.to_out[0].weight
    assert weight.abs().max() <= weight.shape[1] ** -0.5
    given["sample"] = given["sample"][:, :1].expand(-1, 3, -1, -1, -1)
    assert (model(**given).sample - frame_by_frame(unet, given)).abs().max() > 1e-3


def test_weights_are_copied_and_the_new_ones_follow_the_generator(unet, build):
    state = torch.get_rng_state()
    first, second = (build(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, second.get_parameter(name)) and parameter.requires_grad
    assert all(torch.equal(first.state_dict()[name], value) for name, value in unet.state_dict().items())
    first.conv_in.weight.data.zero_()
    assert unet.conv_in.weight.any()
    third = build(generator=None)
    name = "mid_block.attentions.0.transformer_blocks.0.attn_temp.to_q.weight"
    assert not torch.equal(third.get_parameter(name), first.get_parameter(name))


def test_what_is_no_stable_diffusion_1_is_named(unet, build):
    with pytest.raises(ValueError, match=r"`initialization` must be one of \('neutral', 'official'\), got 'zero'"):
        build(initialization="zero")
    with pytest.raises(ValueError, match=r"must be given arguments among .*got \['in_channels'\]"):
        build(in_channels=5)
    other = UNet2DConditionModel(**SMALL, use_linear_projection=True)
    with pytest.raises(ValueError, match="with use_linear_projection=False, got True"):
        AVSyncDUNet.from_unet2d(other)
    unet.extra = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"got another extra\.bias \(and 1 more"):
        build()
