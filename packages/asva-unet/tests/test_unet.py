"""The U-Net: shapes, what each input changes, what is left alone at the start, reuse of conditions, precision."""

import copy

import pytest
import torch

from asva_unet import KeyVIDUNet, UNetConditions
from asva_unet.transformer import TemporalTransformer, temporal_windows

TEXT, IMAGE, SOUND = "encoder_hidden_states", "image_embeds", "audio_embeds"


@torch.no_grad()
def test_shape_follows_the_sample(make_unet, make_inputs):
    model = make_unet(in_channels=17, out_channels=8)
    given = make_inputs(model)
    output = model(**given)
    assert output.sample.shape == (2, 3, 8, 4, 4)
    torch.testing.assert_close(model(**given, return_dict=False)[0], output.sample)


@torch.no_grad()
@pytest.mark.parametrize("name", ["timestep", TEXT, IMAGE, SOUND, "fps", "frame_indices"])
def test_every_condition_changes_the_result(make_unet, make_inputs, name):
    model = make_unet()
    given = make_inputs(model)
    changed = {**given, name: given[name] + 3}
    if name in (TEXT, IMAGE, SOUND):
        changed[name] = given[name].flip(-1)
    assert (model(**given).sample - model(**changed).sample).abs().max() > 1e-3


@torch.no_grad()
def test_sound_of_a_frame_enters_at_that_frame(make_unet, make_inputs):
    model = make_unet(audio_in_time_embedding=True, audio_tokens_per_frame=3)
    layer = model.mid_block.layers[0].resnet
    given, seen = make_inputs(model), []
    layer.register_forward_hook(lambda _layer, inputs, _output: seen.append(inputs[1]))
    model(**given)
    given[SOUND] = given[SOUND].clone()
    given[SOUND][:, 1] += 1
    model(**given)
    changed = (seen[0] - seen[1]).abs().amax(1).unflatten(0, (2, 3)) > 0
    assert changed.tolist() == [[False, True, False]] * 2


def test_new_audio_layers_leave_the_pretrained_network_unchanged(small_config, make_unet, make_inputs):
    before = make_unet(audio_cross_attention=False, frame_index_embedding=False)
    after = KeyVIDUNet(**small_config, audio_in_time_embedding=True).eval()
    new = set(after.state_dict()) - set(before.state_dict())
    assert all(key.startswith(("audio_", "index_embedding")) or "_audio" in key or "audio_gate" in key for key in new)
    after.load_state_dict({**after.state_dict(), **before.state_dict()})
    given = make_inputs(after)
    torch.testing.assert_close(after(**given).sample, before(**given).sample, rtol=0, atol=1e-6)
    after(**given).sample.square().sum().backward()
    learning = {key for key, parameter in after.named_parameters() if key in new and parameter.grad.abs().sum() > 0}
    assert any("to_v_audio" in key for key in learning) and "index_embedding.linear_2.weight" in learning


@torch.no_grad()
def test_untrained_network_predicts_zero(small_config, make_inputs):
    model = KeyVIDUNet(**small_config)
    assert model(**make_inputs(model)).sample.abs().max() == 0


@torch.no_grad()
@pytest.mark.parametrize("image_frames", [3, 1])
def test_encoded_conditions_give_the_same_result(make_unet, make_inputs, image_frames):
    model = make_unet(audio_in_time_embedding=True)
    given = make_inputs(model, image_frames=image_frames)
    expected = model(**given).sample
    conditions = model.encode_conditions(*(given.pop(name) for name in (TEXT, IMAGE, SOUND)))
    torch.testing.assert_close(model(**given, conditions=conditions).sample, expected, rtol=0, atol=0)


@torch.no_grad()
def test_image_tokens_shared_by_all_frames_equal_repeated_ones(make_unet, make_inputs):
    model = make_unet()
    given = make_inputs(model, image_frames=1)
    repeated = {**given, IMAGE: given[IMAGE].expand(-1, 3, -1, -1)}
    torch.testing.assert_close(model(**given).sample, model(**repeated).sample, rtol=0, atol=1e-5)


@torch.no_grad()
def test_branches_of_guidance_can_share_one_call(make_unet, make_inputs):
    model = make_unet()
    given = make_inputs(model, b=1)
    tokens = [given.pop(name) for name in (TEXT, IMAGE, SOUND)]
    full, silent = model.encode_conditions(*tokens), model.encode_conditions(*tokens[:2], torch.zeros_like(tokens[2]))
    apart = [model(**given, conditions=branch).sample for branch in (full, silent)]
    twice = {name: value.expand(2, *value.shape[1:]) for name, value in given.items()}
    together = model(**twice, conditions=UNetConditions.cat([full, silent])).sample
    torch.testing.assert_close(together, torch.cat(apart), rtol=0, atol=1e-5)
    alone = model(**twice, conditions=full).sample  # one clip's conditions serve the whole batch
    torch.testing.assert_close(alone, apart[0].expand_as(alone), rtol=0, atol=1e-5)


def test_checkpointing_changes_no_gradient(make_unet, make_inputs):
    model = make_unet().train()
    given, gradients = make_inputs(model), []
    for checkpointing in (False, True):
        twin = copy.deepcopy(model)
        if checkpointing:
            twin.enable_gradient_checkpointing()
        twin(**given).sample.square().mean().backward()
        gradients.append([parameter.grad for parameter in twin.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed, rtol=1e-5, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_is_close(make_unet, make_inputs, dtype, tolerance):
    model = make_unet()
    given = make_inputs(model)
    expected = model(**given).sample
    floats = {name: value.to(dtype) if value.is_floating_point() else value for name, value in given.items()}
    half = model.to(dtype)(**floats).sample
    assert half.dtype == dtype
    assert (half.float() - expected).abs().max() <= tolerance * expected.abs().max()


def test_gradients_in_bfloat16_are_close(make_unet, make_inputs):
    model = make_unet().train()
    given, gradients = make_inputs(model), []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            output = model(**given).sample
        output.float().square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    exact, rounded = gradients
    assert torch.nn.functional.cosine_similarity(exact, rounded, dim=0) > 0.999


@torch.no_grad()
def test_dropout_acts_only_in_training(make_unet, make_inputs):
    model = make_unet(dropout=0.5)
    given = make_inputs(model)
    torch.testing.assert_close(model(**given).sample, model(**given).sample, rtol=0, atol=0)
    model.train()
    assert not torch.equal(model(**given).sample, model(**given).sample)


@torch.no_grad()
def test_saving_and_loading_keeps_everything(make_unet, make_inputs, tmp_path):
    model = make_unet(prediction_type="residual", init_attention=False)
    model.save_pretrained(tmp_path)
    again = KeyVIDUNet.from_pretrained(tmp_path).eval()
    assert again.config["prediction_type"] == "residual"
    given = make_inputs(model)
    torch.testing.assert_close(again(**given).sample, model(**given).sample, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample": torch.zeros(2, 3, 9, 4, 4)}, r"`sample` must have shape \(b, t, 8, h, w\), got \(2, 3, 9, 4, 4\)"),
        ({"sample": torch.zeros(2, 3, 8, 5, 4)}, "`sample` must have a height and width divisible by 2"),
        ({"frame_indices": None}, r"`frame_indices` must have shape \(2, 3\), got None"),
        ({"fps": None}, "`fps` must be given"),
        ({TEXT: None}, "`encoder_hidden_states` must be given unless `conditions` is"),
        ({TEXT: torch.zeros(2, 5, 7)}, r"`encoder_hidden_states` must have shape \(2, n, 24\), got \(2, 5, 7\)"),
        ({IMAGE: torch.zeros(2, 2, 4, 24)}, r"`image_embeds` must have shape \(2, 3, n, 24\), got \(2, 2, 4, 24\)"),
        ({SOUND: torch.zeros(2, 3, 20)}, r"`audio_embeds` must have shape \(2, 3, n, 20\), got \(2, 3, 20\)"),
    ],
)
def test_wrong_inputs_are_named(make_unet, make_inputs, change, message):
    model = make_unet()
    with pytest.raises(ValueError, match=message):
        model(**{**make_inputs(model), **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention_levels": (True,)}, r"`attention_levels` must have one entry per level \(2\)"),
        ({"norm_num_groups": 48}, r"multiples of `norm_num_groups` \(48\)"),
        ({"prediction_type": "flow"}, "`prediction_type` must be one of"),
    ],
)
def test_wrong_configurations_are_named(small_config, change, message):
    with pytest.raises(ValueError, match=message):
        KeyVIDUNet(**{**small_config, **change})


@torch.no_grad()
def test_temporal_attention_in_windows_is_the_weighted_mean_of_its_windows(make_unet, make_inputs):
    model = make_unet()
    given = make_inputs(model)
    whole = model(**given).sample
    with temporal_windows(model, [(0, 3)], lambda answers: answers[0]):  # all three frames
        torch.testing.assert_close(model(**given).sample, whole, rtol=0, atol=0)
    layer = next(module for module in model.modules() if isinstance(module, TemporalTransformer))
    x, views = (
        torch.randn(6, layer.norm.num_channels, 2, 2, generator=torch.Generator().manual_seed(0)),
        [(0, 2), (1, 3)],
    )

    def fuse(answers):
        first, second = answers
        return torch.stack([first[:, 0], (first[:, 1] + second[:, 0]) / 2, second[:, 1]], dim=1)

    with temporal_windows(model, views, fuse):
        joined = layer(x, 3).unflatten(0, (2, 3))
    tokens = layer.proj_in(
        layer.norm(x.unflatten(0, (2, 3)).transpose(1, 2).flatten(3)).permute(0, 3, 2, 1).flatten(0, 1)
    )
    naive = layer.proj_out(fuse([layer.block(tokens[:, a:b]) for a, b in views]))
    naive = naive.unflatten(0, (2, 4)).permute(0, 2, 3, 1).unflatten(3, (2, 2)) + x.unflatten(0, (2, 3))
    torch.testing.assert_close(joined, naive, rtol=1e-4, atol=1e-5)
    assert layer.windows is None
