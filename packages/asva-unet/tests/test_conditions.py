"""Conditions along the batch axis: joined, repeated, picked."""

import pytest
import torch

from asva_unet import UNetConditions


@pytest.fixture
def conditions(make_unet, make_inputs):
    model = make_unet(audio_in_time_embedding=True)
    given = make_inputs(model)
    with torch.no_grad():
        return model.encode_conditions(given["encoder_hidden_states"], given["image_embeds"], given["audio_embeds"])


def flat(conditions):
    tensors = []
    conditions.map(lambda tensor: tensors.append(tensor) or tensor)
    return tensors


def test_there_is_one_entry_per_cross_attention(conditions):
    assert len(conditions.layers) == 4  # one way down, the middle, two on the way up
    assert conditions.batch_size == 2
    assert conditions.layers[0].text[0].shape == (2, 4, 5, 32)  # clips, heads, tokens, channels: no frames
    assert conditions.layers[0].audio[1].shape == (2, 3, 4, 3, 32)
    assert conditions.audio_emb.shape == (2, 3, 256)


def test_picking_and_joining_are_inverse(conditions):
    again = UNetConditions.cat([conditions[0], conditions[1:]])
    assert all(torch.equal(a, b) for a, b in zip(flat(again), flat(conditions), strict=True))
    swapped = conditions[[1, 0]]
    assert all(torch.equal(a, b.flip(0)) for a, b in zip(flat(swapped), flat(conditions), strict=True))


def test_expanding_repeats_without_copying(conditions):
    one = conditions[0]
    many = one.expand(5)
    assert many.batch_size == 5
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(flat(many), flat(one), strict=True))
    with pytest.raises(ValueError, match="`expand` must start from 1 clip or 5 clips, got 2"):
        conditions.expand(5)


def test_casting_reaches_every_tensor(conditions):
    assert {tensor.dtype for tensor in flat(conditions.to(torch.bfloat16))} == {torch.bfloat16}


def test_joining_checks_what_it_is_given(make_unet, make_inputs, conditions):
    with pytest.raises(ValueError, match="`conditions` must hold at least one entry"):
        UNetConditions.cat([])
    model = make_unet()
    silent = model.encode_conditions(make_inputs(model)["encoder_hidden_states"])
    with pytest.raises(ValueError, match="`image` must be given in all of the conditions or in none"):
        UNetConditions.cat([conditions, silent])
    longer = model.encode_conditions(torch.zeros(2, 9, 24))
    with pytest.raises(ValueError, match=r"`text` must hold the same number of tokens in all of .*, got \[5, 9\]"):
        UNetConditions.cat([silent, longer])


def test_conditions_of_other_frames_are_refused(make_unet, make_inputs, conditions):
    model = make_unet(audio_in_time_embedding=True)
    assert conditions.num_frames == {3}
    given = {**make_inputs(model, t=2), "conditions": conditions}
    with pytest.raises(ValueError, match="`conditions` must be encoded for 2 frames, got 3"):
        model(**given)
