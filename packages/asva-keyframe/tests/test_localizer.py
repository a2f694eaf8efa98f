"""The motion-curve network: parity, heads, saving."""

import pytest
import torch

from asva_keyframe import MotionLocalizer, convert_localizer, invert_localizer, split_localizer

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def load_original(config, state):
    encoder = {
        "num_frames": config["audio_target_len"],
        "stride": (config["audio_stride"], config["audio_stride"]),
        "patch_size": config["audio_kernel_size"],
        "hidden_size": config["audio_embed_dim"],
        "num_hidden_layers": config["audio_num_blocks"],
        "num_attention_heads": config["audio_num_heads"],
        "drop_path_rate": config["audio_drop_path"],
        "class_token": config["num_cls_tokens"] > 0,
    }
    frames, bottleneck = state["linear1.weight"].shape[0], state["linear2.weight"].shape[0]
    model = MotionLocalizer(encoder, num_frames=frames, bottleneck=bottleneck).eval()
    model.load_state_dict(convert_localizer(state))
    return model


def original_state(tensors):
    return {k.removeprefix("state/"): v.float() for k, v in tensors.items() if k.startswith("state/")}


def test_matches_the_original(localizer_fixture):
    description, tensors = localizer_fixture
    state = original_state(tensors)
    model = load_original(description["constructor"], state)
    with torch.no_grad():
        curve = model(tensors["in/mel"].float())
        tokens = model.encoder(tensors["in/mel"].float()).last_hidden_state
    torch.testing.assert_close(tokens, tensors["out/tokens"].float(), rtol=0, atol=1e-5)
    torch.testing.assert_close(curve, tensors["out/logits"].float(), rtol=0, atol=1e-5)


def test_conversion_is_strict_both_ways(localizer_fixture):
    description, tensors = localizer_fixture
    state = original_state(tensors)
    model = load_original(description["constructor"], state)
    _, rest = split_localizer(state)
    back = invert_localizer(model.state_dict(), rest=rest)
    assert back.keys() == state.keys()
    for key, value in state.items():
        torch.testing.assert_close(back[key], value, rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"1 missing: linear2\.bias"):
        convert_localizer({k: v for k, v in state.items() if k != "linear2.bias"})
    with pytest.raises(ValueError, match=r"1 unknown: linear9\.bias"):
        convert_localizer(state | {"linear9.bias": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"1 missing: linear3\.bias"):
        invert_localizer({k: v for k, v in model.state_dict().items() if k != "predictor.to_scores.bias"})


def test_official_geometry():
    with torch.device("meta"):
        model = MotionLocalizer()
    assert model.encoder.grid == (29, 46)
    assert model.predictor.to_frames.weight.shape == (48, 1334)
    assert model.predictor.to_scores.weight.shape == (48, 768)


@pytest.mark.parametrize("head", ["official", "columns"])
def test_shapes_hidden_and_gradients(head):
    model = MotionLocalizer(SMALL, head=head)
    output = model(torch.randn(2, 1, 128, 204), output_hidden_states=True)
    assert output.motion_curve.shape == (2, 48)
    assert output.hidden.shape == (2, 48, 32)
    output.motion_curve.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_longer_mels_are_cut_to_the_encoder():
    model = MotionLocalizer(SMALL | {"num_frames": 198, "stride": (4, 4), "class_token": False}).eval()
    mel = torch.randn(1, 1, 128, 204)
    torch.testing.assert_close(model(mel), model(mel[..., :198]))


def test_columns_head_moves_with_its_input():
    head = MotionLocalizer(SMALL, head="columns").predictor.eval()
    tokens = torch.randn(1, 1 + 12 * 48, 32)
    later = tokens.clone()
    later[:, 1:] = tokens[:, 1:].unflatten(1, (12, 48)).roll(5, dims=2).flatten(1, 2)
    here, _ = head(tokens)
    there, _ = head(later)
    torch.testing.assert_close(there[:, 12:41], here[:, 7:36], rtol=0, atol=1e-5)


def test_columns_head_wants_a_column_for_each_frame():
    with pytest.raises(ValueError, match="one time column for each of the 24 frames"):
        MotionLocalizer(SMALL, num_frames=24, head="columns")
    with pytest.raises(ValueError, match="`head` must be"):
        MotionLocalizer(SMALL, head="rows")


@pytest.mark.parametrize("head", ["official", "columns"])
def test_saved_and_loaded(tmp_path, head):
    model = MotionLocalizer(SMALL, head=head).eval()
    model.save_pretrained(tmp_path)
    again = MotionLocalizer.from_pretrained(tmp_path).eval()
    mel = torch.randn(1, 1, 128, 204)
    torch.testing.assert_close(again(mel), model(mel), rtol=0, atol=0)


def test_predict_keeps_no_graph():
    model = MotionLocalizer(SMALL, head="columns").eval()
    mel = torch.randn(2, 1, 128, 204)
    curve = model.predict(mel)
    assert not curve.requires_grad
    torch.testing.assert_close(curve, model(mel).detach())
