"""Attention against loops in float64, and the gate."""

import pytest
import torch

from asva_unet.attention import ConditionedAttention, FeedForward, SelfAttention, attend


def naive(query, key, value):
    """Softmax attention written with loops, float64."""
    out = torch.zeros(*query.shape[:-1], value.shape[-1], dtype=torch.float64)
    for row in range(query.shape[0]):
        for head in range(query.shape[1]):
            q, k, v = (x[row, head].double() for x in (query, key, value))
            for index in range(len(q)):
                weights = torch.stack([(q[index] * other).sum() for other in k]) / q.shape[-1] ** 0.5
                out[row, head, index] = (torch.exp(weights) / torch.exp(weights).sum()) @ v
    return out


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-6), (torch.bfloat16, 0.02)])
def test_attend_equals_the_formula(generator, dtype, atol, training):
    query, key, value = (torch.randn(2, 3, n, 8, generator=generator).to(dtype) for n in (4, 5, 5))
    with torch.set_grad_enabled(training):
        torch.testing.assert_close(attend(query, key, value).double(), naive(query, key, value), rtol=0, atol=atol)


def test_three_ways_of_one_query(generator, randomised):
    """Text is shared by the frames, image tokens and sound belong to one each; three softmaxes, one output layer."""
    b, t, n, m, width = 2, 3, 4, 2, 8
    layer = randomised(ConditionedAttention(width, m, 6))
    x = torch.randn(b * t, n, width, generator=generator)
    text, image, audio = (torch.randn(shape, generator=generator) for shape in ((b, 5, 6), (b, t, 4, 6), (b, t, 3, 6)))
    layer.audio_gate.data.fill_(0.5)
    result = layer(x, layer.encode_conditions(text, image, audio))

    def heads(tokens, linear):
        return linear(tokens).unflatten(-1, (m, -1)).transpose(0, 1)[None]

    for clip in range(b):
        for frame in range(t):
            row = clip * t + frame
            query, total = heads(x[row], layer.to_q), 0
            for scale, tokens, key, value in (
                (1.0, text[clip], layer.to_k, layer.to_v),
                (1.0, image[clip, frame], layer.to_k_image, layer.to_v_image),
                (1 + torch.tanh(torch.tensor(0.5)), audio[clip, frame], layer.to_k_audio, layer.to_v_audio),
            ):
                total = total + scale * naive(query, heads(tokens, key), heads(tokens, value))
            expected = layer.to_out(total[0].transpose(0, 1).flatten(1).float())
            torch.testing.assert_close(result[row], expected, rtol=0, atol=1e-5)


def test_gate_closes_the_sound(generator, randomised):
    layer = randomised(ConditionedAttention(8, 2, 6))
    x, text, audio = (torch.randn(shape, generator=generator) for shape in ((3, 4, 8), (1, 5, 6), (1, 3, 2, 6)))
    layer.audio_gate.data.fill_(-20.0)
    silent, deaf = layer.encode_conditions(text, None, audio), layer.encode_conditions(text, None, None)
    torch.testing.assert_close(layer(x, silent), layer(x, deaf), rtol=0, atol=1e-6)


def test_rows_do_not_mix(generator, randomised):
    layer = randomised(SelfAttention(8, 2))
    x = torch.randn(3, 4, 8, generator=generator)
    torch.testing.assert_close(layer(x)[1:2], layer(x[1:2]), rtol=0, atol=1e-6)


def test_feed_forward_gates_with_exact_gelu(generator, randomised):
    layer = randomised(FeedForward(4))
    x = torch.randn(2, 3, 4, generator=generator)
    value, gate = layer.proj_in(x).double().chunk(2, dim=-1)
    gelu = gate * 0.5 * (1 + torch.erf(gate / 2**0.5))
    torch.testing.assert_close(layer(x), layer.proj_out((value * gelu).float()), rtol=0, atol=1e-6)
