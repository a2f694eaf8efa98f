"""The audio tower against the original on stored results, and against attention written out."""

import pytest
import torch

from asva_audio import (
    ImageBindAudioEncoder,
    ImageBindAudioHead,
    convert_imagebind_audio,
    convert_imagebind_head,
    imagebind_mel,
    null_mel,
    resize_positions,
)
from asva_audio.imagebind_network import BiasedAttention

SMALL = {
    "num_mel_bins": 36,
    "num_frames": 24,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}


def encoder_of(constructor: dict) -> ImageBindAudioEncoder:
    return ImageBindAudioEncoder(
        num_frames=constructor["audio_target_len"],
        stride=constructor["audio_stride"],
        hidden_size=constructor["audio_embed_dim"],
        num_hidden_layers=constructor["audio_num_blocks"],
        num_attention_heads=constructor["audio_num_heads"],
        class_token=constructor.get("num_cls_tokens", 1) == 1,
    ).eval()


@pytest.mark.parity("keyvid/j*_imagebind_audio*.safetensors")
def test_every_block_matches_the_original(parity, rounding):
    encoder = encoder_of(parity.config["constructor"])
    encoder.load_state_dict(convert_imagebind_audio(parity.state))
    head = ImageBindAudioHead(encoder.config.hidden_size, parity.config["constructor"]["out_embed_dim"])
    head.load_state_dict(convert_imagebind_head(parity.state))
    expected = [parity.outputs["patch_tokens"]]
    expected += [parity.outputs[f"block_{i}"] for i in range(len(encoder.blocks))]
    encoder, head = encoder.double(), head.double()  # in float32 processors differ by more than is allowed
    close = {"rtol": 0, "atol": 2e-5, "check_dtype": False}
    with torch.no_grad():
        for name in parity.config["sample_rates"]:
            mel = imagebind_mel(parity.outputs[f"resampled_{name}"][0])
            stored = parity.outputs[f"mel_{name}"]
            assert ((mel[0] - stored).abs() <= 2e-5 + rounding(stored)).all()
            output = encoder(stored[None].double(), output_hidden_states=True)
        for ours, theirs in zip(output.hidden_states, expected, strict=True):
            torch.testing.assert_close(ours, theirs, **close)
        torch.testing.assert_close(output.last_hidden_state, parity.outputs["forward_audio"], **close)
        torch.testing.assert_close(head(output.last_hidden_state), parity.outputs["embedding"], **close)
        null = encoder(null_mel().double()).last_hidden_state
        torch.testing.assert_close(null, parity.outputs["null_forward_audio"], **close)


@pytest.mark.parity("keyvid/h_localizer*.safetensors")
def test_the_geometry_of_the_localizer_matches_the_original(parity):
    encoder = encoder_of(parity.config["constructor"])
    encoder.load_state_dict(convert_imagebind_audio(parity.state, prefix="imagebindMoodel."))
    with torch.no_grad():
        tokens = encoder(parity.inputs["mel"]).last_hidden_state
    torch.testing.assert_close(tokens, parity.outputs["tokens"], rtol=0, atol=2e-5)


@pytest.mark.parity("keyvid/j*_posembed*.safetensors")
def test_positions_match_the_original(parity):
    resized = resize_positions(parity.inputs["pos_embed_229"], (12, 19), (12, 48))
    torch.testing.assert_close(resized, parity.outputs["pos_embed_577"], rtol=0, atol=2e-5)


def test_positions_keep_the_class_token_and_a_constant():
    positions = torch.cat((torch.full((1, 1, 3), 7.0), torch.full((1, 6, 3), 2.0)), dim=1)
    resized = resize_positions(positions, (2, 3), (4, 5))
    assert (resized[:, 0] == 7).all() and (resized[:, 1:] == 2).all() and resized.shape == (1, 21, 3)
    assert resize_positions(positions[:, 1:].half(), (2, 3), (2, 9)).dtype == torch.float16
    with pytest.raises(ValueError, match=r"with n = 8 or one more, got \(1, 7, 3\)"):
        resize_positions(positions, (2, 4), (4, 5))


def test_attention_sees_one_more_key(generator):
    attention = BiasedAttention(8, 2).double()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    x = torch.randn(2, 5, 8, generator=generator, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for b in range(2):
        query, key, value = attention.to_qkv(x[b]).chunk(3, dim=-1)
        key, value = torch.cat((key, attention.bias_key[0])), torch.cat((value, attention.bias_value[0]))
        for head in (slice(0, 4), slice(4, 8)):
            for i in range(5):
                weights = torch.softmax(key[:, head] @ query[i, head] / 2, dim=0)
                expected[b, i, head] = (weights[:, None] * value[:, head]).sum(0)
    torch.testing.assert_close(attention(x), attention.to_out(expected))


def test_bfloat16_on_the_cpu_is_near_float32(generator):
    encoder = ImageBindAudioEncoder(**SMALL)
    mel = torch.randn(3, 1, 36, 24, generator=generator)
    expected = encoder.eval()(mel).last_hidden_state
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tokens = encoder(mel).last_hidden_state
    torch.testing.assert_close(tokens.float(), expected, rtol=0, atol=0.05)
    tokens.float().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_checkpointing_changes_nothing_and_drop_path_only_training(generator):
    encoder = ImageBindAudioEncoder(**SMALL, drop_path_rate=0.0)
    mel = torch.randn(2, 1, 36, 24, generator=generator)
    gradients = []
    for checkpointing in (False, True):
        encoder.enable_gradient_checkpointing() if checkpointing else encoder.disable_gradient_checkpointing()
        encoder.zero_grad()
        encoder.train()(mel).last_hidden_state.square().sum().backward()
        gradients.append(encoder.patch.weight.grad.clone())
    torch.testing.assert_close(*gradients, rtol=0, atol=0)
    dropping = ImageBindAudioEncoder(**SMALL, drop_path_rate=0.99)
    assert [block.drop_path for block in dropping.blocks] == pytest.approx([0, 0.495, 0.99])
    torch.testing.assert_close(dropping.eval()(mel).last_hidden_state, dropping(mel).last_hidden_state)
    assert not torch.equal(dropping.train()(mel).last_hidden_state, dropping.eval()(mel).last_hidden_state)


def test_save_and_load_give_the_same_network(tmp_path, generator):
    encoder = ImageBindAudioEncoder(**SMALL, stride=(4, 8), class_token=False).eval()
    encoder.save_pretrained(tmp_path)
    again = ImageBindAudioEncoder.from_pretrained(tmp_path)
    mel = torch.randn(1, 1, 36, 24, generator=generator)
    assert again.grid == encoder.grid == (6, 2)
    torch.testing.assert_close(again(mel).last_hidden_state, encoder(mel).last_hidden_state, rtol=0, atol=0)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"`mel` must have shape \(b, 1, 36, 24\), got \(1, 1, 36, 23\)"):
        ImageBindAudioEncoder(**SMALL)(torch.zeros(1, 1, 36, 23))
    with pytest.raises(ValueError, match=r"`num_attention_heads` must divide `hidden_size` \(16\), got 3"):
        ImageBindAudioEncoder(**{**SMALL, "num_attention_heads": 3})
    assert ImageBindAudioEncoder(num_hidden_layers=0, hidden_size=12).grid == (12, 48)
