"""BEATs against the original on stored results, and its parts against loops written out."""

import math

import pytest
import torch

from asva_audio import BEATsEncoder, beats_fbank, convert_beats
from asva_audio.beats_blocks import GatedAttention, PositionConvolution, distance_buckets
from asva_audio.beats_convert import BIAS

SMALL = {
    "embed_dim": 6,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_pos": 6,
    "conv_pos_groups": 2,
    "num_buckets": 16,
    "max_distance": 20,
}


def checkpoint(parity) -> dict:
    """The fixture as a released file: the shared table of biases repeated for every layer."""
    layers = parity.config["config"]["encoder_layers"]
    tables = {BIAS.format(i): parity.state[BIAS.format(0)] for i in range(layers)}
    return {"cfg": parity.config["config"], "model": {**tables, **parity.state}}


@pytest.mark.parity("asva/beats*.safetensors")
def test_every_layer_matches_the_original(parity):
    config, weights = convert_beats(checkpoint(parity))
    encoder = BEATsEncoder(**config).eval()
    encoder.load_state_dict(weights)
    fbank = beats_fbank(parity.inputs["waveform"])
    torch.testing.assert_close(fbank, parity.outputs["fbank"], rtol=0, atol=2e-5)
    close = {"rtol": 0, "atol": 2e-5, "check_dtype": False}
    # In float32 processors differ by more than is allowed.
    encoder, fbank = encoder.double(), parity.outputs["fbank"].double()
    with torch.no_grad():
        output = encoder(fbank, output_hidden_states=True)
        padded = encoder(fbank, padding_mask=parity.inputs["padding_mask"]).last_hidden_state
        features, bias = encoder.embed(fbank), encoder.bias(padded.shape[1])
    torch.testing.assert_close(features, parity.outputs["features"], **close)
    for i, state in enumerate(output.hidden_states):
        torch.testing.assert_close(state, parity.outputs[f"layer_{i}"], **close)
    torch.testing.assert_close(output.last_hidden_state, parity.outputs["last"], **close)
    torch.testing.assert_close(padded, parity.outputs["last_padded"], **close)
    expected = parity.outputs["position_bias_layer0"]
    torch.testing.assert_close(bias[:, : expected.shape[1]], expected, **close)


def test_a_padding_of_frames_and_of_samples_hide_the_same(generator):
    encoder = BEATsEncoder(**SMALL).eval()
    fbank = torch.randn(2, 48, 128, generator=generator)
    frames = torch.zeros(2, 48, dtype=torch.bool)
    frames[1, 30:] = True
    samples = frames.repeat_interleave(160, dim=1)
    with torch.no_grad():
        by_frames = encoder(fbank, padding_mask=frames).last_hidden_state
        by_samples = encoder(fbank, padding_mask=samples).last_hidden_state
        none = encoder(fbank, padding_mask=torch.zeros_like(frames)).last_hidden_state
        plain = encoder(fbank).last_hidden_state
    torch.testing.assert_close(by_frames, by_samples, rtol=0, atol=0)
    torch.testing.assert_close(none, plain)
    torch.testing.assert_close(by_frames[0], plain[0])
    assert not torch.allclose(by_frames[1], plain[1])


@pytest.mark.parametrize(("buckets", "farthest"), [(16, 20), (320, 1280), (32, 40)])
def test_buckets_are_those_of_t5(buckets, farthest):
    table, half = distance_buckets(40, buckets, farthest), buckets // 2
    for row in (0, 7, 39):
        for column in range(40):
            away, exact = abs(column - row), half // 2
            far = exact + int(math.log(max(away, 1) / exact) / math.log(farthest / exact) * (half - exact))
            bucket = away if away < exact else min(far, half - 1)
            assert table[row, column] == bucket + half * (column > row)


def test_each_query_gates_the_bias(generator):
    attention = GatedAttention(8, 2).double()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    x = torch.randn(1, 5, 8, generator=generator, dtype=torch.float64)
    bias = torch.randn(2, 5, 5, generator=generator, dtype=torch.float64)
    padding = torch.tensor([[False, False, False, False, True]])
    expected = torch.zeros_like(x)
    query, key, value = attention.to_q(x[0]), attention.to_k(x[0]), attention.to_v(x[0])
    for head, part in enumerate((slice(0, 4), slice(4, 8))):
        for i in range(5):
            first, second = torch.sigmoid(attention.gate(query[i, part]).view(2, 4).sum(1))
            gate = first * (second * attention.gate_scale[0, head, 0, 0] - 1) + 2
            scores = key[:4, part] @ query[i, part] / 2 + gate * bias[head, i, :4]
            expected[0, i, part] = torch.softmax(scores, dim=0) @ value[:4, part]
    torch.testing.assert_close(attention(x, bias, padding), attention.to_out(expected))


def test_the_length_of_the_positions_kernel_is_its_own():
    positions = PositionConvolution(8, 5, 2)
    x = torch.linspace(-1, 1, 56).view(1, 7, 8)
    before = positions(x)
    with torch.no_grad():
        positions.direction.mul_(3)
    torch.testing.assert_close(positions(x), before)
    assert before.shape == x.shape


def test_checkpointing_changes_nothing_and_bfloat16_is_near(generator):
    encoder = BEATsEncoder(**SMALL)
    fbank = torch.randn(2, 40, 128, generator=generator)
    gradients = []
    for checkpointing in (False, True):
        encoder.enable_gradient_checkpointing() if checkpointing else encoder.disable_gradient_checkpointing()
        encoder.zero_grad()
        encoder.train()(fbank).last_hidden_state.square().sum().backward()
        gradients.append(encoder.patch.weight.grad.clone())
    torch.testing.assert_close(*gradients, rtol=0, atol=0)
    expected = encoder(fbank).last_hidden_state
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(encoder(fbank).last_hidden_state.float(), expected, rtol=0, atol=0.15)
    half = encoder.to(torch.bfloat16)(fbank).last_hidden_state
    torch.testing.assert_close(half.float(), expected, rtol=0, atol=0.15)


def test_save_and_load_give_the_same_network(tmp_path, generator):
    encoder = BEATsEncoder(**SMALL).eval()
    encoder.save_pretrained(tmp_path)
    fbank = torch.randn(1, 33, 128, generator=generator)
    again = BEATsEncoder.from_pretrained(tmp_path)
    torch.testing.assert_close(again(fbank).last_hidden_state, encoder(fbank).last_hidden_state, rtol=0, atol=0)


def test_the_grid_and_the_times_of_two_seconds():
    encoder = BEATsEncoder(**SMALL)
    fbank = beats_fbank(torch.zeros(1, 32000))
    assert fbank.shape == (1, 198, 128) and encoder.grid(198) == (12, 8)
    times = encoder.token_times(fbank)
    assert times.shape == (96, 2) and encoder(fbank).last_hidden_state.shape == (1, 96, 16)
    torch.testing.assert_close(times[0], torch.tensor([0.0, 0.175], dtype=torch.float64))
    assert (times[:8] == times[0]).all() and times[8, 0] == pytest.approx(0.16)
    null = encoder.null_spectrogram(3)
    assert null.shape == (3, 198, 128) and not null.any()


def test_wrong_arguments_are_named():
    encoder = BEATsEncoder(**SMALL)
    fbank = torch.zeros(2, 32, 128)
    with pytest.raises(ValueError, match=r"`fbank` must have shape \(b, frames, 128\), got \(2, 128, 32\)"):
        encoder(fbank.transpose(1, 2))
    with pytest.raises(ValueError, match=r"at least 16 frames, got 15; pad the sound to 0\.175 s with `fit`"):
        encoder(fbank[:, :15])
    with pytest.raises(ValueError, match=r"`padding_mask` must be bool of shape \(2, s\) with s at least 32"):
        encoder(fbank, padding_mask=torch.zeros(2, 31, dtype=torch.bool))
    with pytest.raises(ValueError, match="must leave every sound a token, got a row that is all padding"):
        encoder(fbank, padding_mask=torch.tensor([[False], [True]]).expand(2, 32))
    with pytest.raises(ValueError, match=r"`num_attention_heads` must divide `hidden_size` \(16\), got 3"):
        BEATsEncoder(**{**SMALL, "num_attention_heads": 3})
    with pytest.raises(ValueError, match=r"`waveform` must have shape \(b, s\) or \(s,\), got \(1, 2, 800\)"):
        beats_fbank(torch.zeros(1, 2, 800))
