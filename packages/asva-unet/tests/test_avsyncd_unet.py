"""AVSyncD's U-Net: what each input changes, reuse of conditions, switches, sizes, precision, errors."""

import copy

import pytest
import torch

from asva_unet import AVSyncDConditions, AVSyncDUNet

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
def make(randomised):
    return lambda **changes: randomised(AVSyncDUNet(**{**SMALL, "audio_cross_attention_dim": 10, **changes})).eval()


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


@torch.no_grad()
@pytest.mark.parametrize("name", ["timestep", TEXT, SOUND, MASK])
def test_every_condition_changes_the_result(make, given, name):
    changed = {**given, name: given[name].flip(-1)}
    assert (make()(**given).sample - make()(**changed).sample).abs().max() > 1e-3


@torch.no_grad()
def test_sound_outside_a_frames_mask_leaves_its_audio_attention_bit_equal(make, given):
    model, seen = make(), []
    model.down_blocks[0].attentions[0].block.attn_audio.register_forward_hook(lambda *call: seen.append(call[-1]))
    model(**given)
    given[SOUND] = given[SOUND].clone()
    given[SOUND][:, 3] += 1  # heard by frame 1 alone
    model(**given)
    equal = [(seen[0] == seen[1]).unflatten(0, (2, 3))[:, frame].all().item() for frame in range(3)]
    assert equal == [True, False, True]


@torch.no_grad()
@pytest.mark.parametrize("size", [(4, 4), (5, 3), (1, 7)])
@pytest.mark.parametrize("t", [1, 3])
def test_any_size_and_number_of_frames(make, given, size, t):
    sample, mask = torch.ones(2, t, 4, *size), given[MASK][:t]
    assert make()(**{**given, "sample": sample, MASK: mask}).sample.shape == sample.shape


@torch.no_grad()
def test_encoded_conditions_give_the_same_result(make, given):
    model = make()
    expected = model(**given).sample
    conditions = model.encode_conditions(*(given.pop(name) for name in (TEXT, SOUND, MASK)))
    torch.testing.assert_close(model(**given, conditions=conditions).sample, expected, rtol=0, atol=0)
    torch.testing.assert_close(model(**given, conditions=conditions, return_dict=False)[0], expected, rtol=0, atol=0)


@torch.no_grad()
def test_branches_of_guidance_can_share_one_call(make, given):
    model = make()
    sample, tokens = given["sample"][:1], (given[TEXT][:1], given[SOUND][:1])
    full = model.encode_conditions(*tokens, given[MASK])
    null = model.encode_conditions(tokens[0], 0 * tokens[1], given[MASK])
    apart = [model(sample, 9, conditions=branch).sample for branch in (null, full)]
    together = model(sample.expand(2, -1, -1, -1, -1), 9, conditions=AVSyncDConditions.cat([null, full])).sample
    torch.testing.assert_close(together, torch.cat(apart), rtol=0, atol=1e-5)
    alone = model(sample.expand(2, -1, -1, -1, -1), 9, conditions=full).sample  # one clip serves the whole batch
    torch.testing.assert_close(alone, apart[1].expand_as(alone), rtol=0, atol=1e-5)


@torch.no_grad()
def test_tokens_of_each_frame_equal_repeated_ones(make, given):
    model = make()
    repeated = {name: given[name][:, None].expand(-1, 3, -1, -1) for name in (TEXT, SOUND)}
    torch.testing.assert_close(model(**{**given, **repeated}).sample, model(**given).sample, rtol=0, atol=1e-5)
    everywhere = given[MASK][None].expand(2, -1, -1)
    torch.testing.assert_close(model(**{**given, MASK: everywhere}).sample, model(**given).sample, rtol=0, atol=1e-5)


@torch.no_grad()
def test_without_sound_the_other_weights_stay(make, given):
    with_sound, without = make(), make(audio=False)
    gone = set(with_sound.state_dict()) - set(without.state_dict())
    assert gone and all("_audio." in name for name in gone)
    assert without(**silent(given)).sample.shape == given["sample"].shape


@torch.no_grad()
@pytest.mark.parametrize("switch", ["first_frame_conv", "first_frame_attention", "norm_over_frames"])
def test_switches_change_the_result_but_no_weight(make, given, switch):
    usual, changed = make(), make(**{switch: False})
    changed.load_state_dict(usual.state_dict())
    assert (usual(**given).sample - changed(**given).sample).abs().max() > 1e-4


@torch.no_grad()
def test_the_first_frame_is_looked_at_once_per_clip(make, given):
    model, rows = make(), []
    attention = model.mid_block.attentions[0].block.attn1
    for layer in (attention.to_q, attention.to_k):
        layer.register_forward_hook(lambda _layer, inputs, _output: rows.append(len(inputs[0])))
    model(**given)
    assert sorted(rows) == [2, 6]


def test_checkpointing_changes_no_gradient(make, given):
    model, gradients = make().train(), []
    for checkpointing in (False, True):
        twin = copy.deepcopy(model)
        if checkpointing:
            twin.enable_gradient_checkpointing()
        twin(**given).sample.square().mean().backward()
        gradients.append([parameter.grad for parameter in twin.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed, rtol=1e-5, atol=1e-6)


def test_only_the_new_layers_train(make, given):
    model = make().freeze_pretrained()
    model(**given).sample.square().mean().backward()
    learning = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learning == set(model.trainable_parameters())
    families = {part for name in learning for part in name.split(".") if "_temp" in part or "_audio" in part}
    new = {"conv_temp", "attn_temp", "norm_temp", "pos_embedding_temp", "attn_audio", "norm_audio"}
    assert families == new


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_is_close(make, given, dtype, tolerance):
    model = make()
    expected = model(**given).sample
    floats = {name: value.to(dtype) if value.is_floating_point() else value for name, value in given.items()}
    half = model.to(dtype)(**floats).sample
    assert half.dtype == dtype
    assert (half.float() - expected).abs().max() <= tolerance * expected.abs().max()


@torch.no_grad()
def test_saving_and_loading_keeps_everything(make, given, tmp_path):
    model = make(first_frame_conv=False)
    model.save_pretrained(tmp_path)
    again = AVSyncDUNet.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(again(**given).sample, model(**given).sample, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample": torch.zeros(2, 3, 5, 4, 4)}, r"`sample` must have shape \(b, t, 4, h, w\), got \(2, 3, 5, 4, 4\)"),
        ({"sample": torch.zeros(2, 2, 4, 4, 4)}, "`conditions` must be of 2 frames as `sample` is, got 3"),
        ({"sample": torch.zeros(3, 3, 4, 4, 4)}, "`conditions` must hold 1 or 3 clips, got 2"),
        ({TEXT: None}, "`encoder_hidden_states` must be given unless `conditions` is"),
        ({TEXT: torch.zeros(2, 5, 7)}, r"`encoder_hidden_states` must have shape \(b, n, 12\).*got \(2, 5, 7\)"),
        ({SOUND: None}, "`audio_embeds` must be given, got None; the null sound"),
        ({SOUND: torch.zeros(2, 10)}, r"`audio_embeds` must have shape \(b, n, 10\).*got \(2, 10\)"),
        ({SOUND: torch.zeros(1, 6, 10)}, r"`audio_embeds` must be of as many clips as the text \(2\), got 1"),
        ({MASK: torch.ones(3, 6)}, "`audio_mask` must be of type bool"),
        ({MASK: torch.ones(3, 5).bool()}, r"`audio_mask` must have shape \(t, 6\) or \(2, t, 6\), got \(3, 5\)"),
        ({MASK: torch.zeros(3, 6).bool()}, "`audio_mask` must leave every frame at least one token"),
        ({TEXT: torch.zeros(2, 2, 5, 12)}, r"must be of equally many frames, got \[2, 3\]"),
    ],
)
def test_wrong_inputs_are_named(make, given, change, message):
    with pytest.raises(ValueError, match=message):
        make()(**{**given, **change})


def test_sound_and_the_lack_of_it_are_not_mixed(make, given):
    without = make(audio=False)
    with pytest.raises(ValueError, match="`audio_embeds` and `audio_mask` must be None in a network without sound"):
        without(**given)
    conditions = without.encode_conditions(given[TEXT])
    with pytest.raises(ValueError, match="`conditions` must be with sound as the network is, got some without"):
        make()(given["sample"], 3, conditions=conditions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm_num_groups": 12}, r"multiples of `norm_num_groups` \(12\)"),
        ({"attention_head_dim": (2, 4)}, "must be one positive integer"),
        ({"up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D")}, "`up_block_types` must mirror `down_block_types`"),
        ({"block_out_channels": (16, 32, 32)}, r"one entry per level \(3\)"),
        ({"norm_eps": 0.0}, "`norm_eps` must be positive, got 0.0"),
    ],
)
def test_wrong_configurations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        AVSyncDUNet(**{**SMALL, **change})
