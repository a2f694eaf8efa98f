"""Which audio tokens a frame keeps, and what is done to the conditions of several clips."""

import pytest
import torch

from asva_unet import AVSyncDConditions
from asva_unet.avsyncd.conditions import KeptTokens
from asva_unet.avsyncd.transformer import Attention


def draw_mask(generator, *shape):
    mask = torch.rand(shape, generator=generator) < 0.4
    mask[..., 0] = True  # the class token
    return mask


@torch.no_grad()
@pytest.mark.parametrize("tokens_per_frame", [False, True])
@pytest.mark.parametrize("mask_per_clip", [False, True])
@pytest.mark.parametrize("equal_counts", [False, True])
def test_gathered_tokens_give_what_a_mask_gives(generator, randomised, tokens_per_frame, mask_per_clip, equal_counts):
    b, t, n, tokens, width = 2, 3, 4, 7, 8
    layer = randomised(Attention(width, 2, 5))
    x = torch.randn(b * t, n, width, generator=generator)
    audio = torch.randn((b, t, tokens, 5) if tokens_per_frame else (b, tokens, 5), generator=generator)
    mask = draw_mask(generator, *((b, t, tokens) if mask_per_clip else (t, tokens)))
    if equal_counts:
        mask = torch.zeros_like(mask).scatter(-1, torch.rand(mask.shape, generator=generator).argsort(-1)[..., :3], 1)
    kept = KeptTokens.of(mask, b)
    assert kept.indices.shape == (b, t, int(mask.sum(-1).max()))
    assert (kept.mask is None) == equal_counts

    key, value = layer.keys_values(audio if tokens_per_frame else audio[:, None].expand(b, t, tokens, 5))
    everything = mask.expand(b, t, tokens).flatten(0, 1)[:, None, None]
    query = layer.to_q(x).unflatten(-1, (2, -1)).transpose(1, 2)
    scores = (query @ key.flatten(0, 1).transpose(-1, -2) / 2).masked_fill(~everything, -torch.inf)
    expected = layer.to_out[0]((scores.softmax(-1) @ value.flatten(0, 1)).transpose(1, 2).flatten(2))
    result = layer(x, layer.keys_values(audio, kept), kept.mask)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


def test_a_mask_that_keeps_everything_is_none():
    assert KeptTokens.of(torch.ones(3, 5, dtype=torch.bool), 2) is None


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5)])
def test_a_frame_without_a_token_is_named(shape):
    mask = torch.ones(shape, dtype=torch.bool)
    mask[..., 1, :] = False
    with pytest.raises(
        ValueError, match="`audio_mask` must leave every frame at least one token, got none for frame 1"
    ):
        KeptTokens.of(mask, 2)


def make(b=1, tokens=5, mask=False, audio=True):
    def pair(*shape):
        return torch.arange(float(b)).view(b, *[1] * len(shape)).expand(b, *shape), torch.ones(b, *shape)

    kept = torch.ones(b, 3, 1, tokens, dtype=torch.bool) if mask else None
    return AVSyncDConditions((pair(2, 7, 4),) * 2, (pair(3, 2, tokens, 4),) * 2 if audio else None, kept)


def test_clips_are_joined_chosen_and_repeated():
    joined = AVSyncDConditions.cat([make(b=2, mask=True), make(mask=True)])
    assert (joined.batch_size, joined.num_frames) == (3, 3)
    assert joined.text[1][0][:, 0, 0, 0].tolist() == [0, 1, 0]
    assert joined.audio_mask.shape == (3, 3, 1, 5)
    assert joined[1].audio[0][0].unique().tolist() == [1]
    assert make().expand(4).text[0][0].shape == (4, 2, 7, 4)
    assert make(audio=False).num_frames is None
    half = make(mask=True).to(torch.bfloat16)
    assert (half.audio[0][0].dtype, half.audio_mask.dtype) == (torch.bfloat16, torch.bool)


@pytest.mark.parametrize("other", [make(tokens=6), make(mask=True), make(audio=False)])
def test_conditions_that_differ_are_not_joined(other):
    with pytest.raises(ValueError, match="`conditions` must agree in their numbers of tokens"):
        AVSyncDConditions.cat([make(), other])


def test_nothing_to_join_and_too_many_to_repeat():
    with pytest.raises(ValueError, match="`conditions` must hold at least one entry"):
        AVSyncDConditions.cat([])
    with pytest.raises(ValueError, match="`expand` must start from 1 clip or 3 clips, got 2"):
        make(b=2).expand(3)
