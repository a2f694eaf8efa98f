"""The tokens and masks of AVSyncD against the original, and the plain split of its paper."""

import pytest
import torch

from asva_audio import (
    ImageBindAudioEncoder,
    avsyncd_mel,
    convert_avsyncd_audio,
    null_mel,
    segment_mask,
    segment_tokens,
)
from asva_audio.avsyncd import FINAL_NORM


@pytest.mark.parity("asva/imagebind_audio*.safetensors")
def test_tokens_and_masks_match_the_original(parity):
    config, grid = parity.config["config"], (12, 19)
    encoder = ImageBindAudioEncoder(
        stride=config["audio_stride"],
        hidden_size=config["audio_embed_dim"],
        num_hidden_layers=config["audio_num_blocks"],
        num_attention_heads=config["audio_num_heads"],
    ).eval()
    # The released code's final norm is plain; the fixture gives it weights to show that it is applied.
    weight, bias = (parity.state.pop(key) for key in FINAL_NORM)
    plain = {FINAL_NORM[0]: torch.ones_like(weight), FINAL_NORM[1]: torch.zeros_like(bias)}
    encoder.load_state_dict(convert_avsyncd_audio({**parity.state, **plain})[0])
    assert encoder.grid == grid
    for name in ("waveform_16k", "waveform_16k_clip1"):
        expected = parity.outputs[name.replace("waveform_16k", "mel")]
        torch.testing.assert_close(avsyncd_mel(parity.inputs[name])[0], expected, rtol=0, atol=2e-5)
    with torch.no_grad():
        output = encoder(parity.inputs["mel_batch"], output_hidden_states=True)
        tokens = segment_tokens(encoder, parity.inputs["mel_batch"])
        null = segment_tokens(encoder, null_mel())
    torch.testing.assert_close(output.hidden_states[0], parity.outputs["preprocessed_tokens"], rtol=0, atol=2e-5)
    for i, state in enumerate(output.hidden_states[1:]):
        torch.testing.assert_close(state, parity.outputs[f"hidden_block_{i}"], rtol=0, atol=2e-5)
    torch.testing.assert_close(tokens * weight + bias, parity.outputs["tokens"], rtol=0, atol=2e-5)
    torch.testing.assert_close(null * weight + bias, parity.outputs["null_tokens"], rtol=0, atol=2e-5)
    mask = segment_mask(config["n_segment"], grid)
    assert torch.equal(mask.expand_as(parity.outputs["mask"]), parity.outputs["mask"])
    assert torch.equal(mask[None], parity.outputs["null_mask"])
    for name in parity.outputs:
        if name.startswith("split_"):
            columns, segments = (int(number) for number in name.split("_")[1:])
            assert torch.equal(segment_mask(segments, (1, columns))[:, 1:], parity.outputs[name])


def test_the_windows_are_those_of_the_specification():
    mask = segment_mask(12, (12, 19))
    assert mask.shape == (12, 229) and mask[:, 0].all() and (mask.sum(1) == 25).all()
    columns = mask[:, 1:].unflatten(1, (12, 19))
    assert (columns == columns[:, :1]).all()  # every band alike
    assert columns[:, 0].int().argmax(1).tolist() == [0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17]
    shared = columns[:, 0].sum(0) == 2
    assert shared.nonzero().flatten().tolist() == [3, 6, 9, 12, 15]


@pytest.mark.parametrize("grid", [(12, 19), (1, 1), (3, 48)])
@pytest.mark.parametrize("segments", [1, 2, 3, 12, 16, 24, 48, 60])
def test_no_frame_is_deaf_and_no_column_unheard(segments, grid):
    mask = segment_mask(segments, grid)
    assert mask.shape == (segments, 1 + grid[0] * grid[1])
    body = mask[:, 1:]
    assert body.any(1).all() and (segments > grid[1] or body.any(0).all())
    if segments <= grid[1]:
        assert (segment_mask(segments, grid, window="split")[:, 1:].sum(0) == 1).all()


def test_a_plain_split_is_even():
    sizes = segment_mask(12, (1, 19), window="split")[:, 1:].sum(1)
    assert sizes.min() == 1 and sizes.max() == 2
    assert torch.equal(segment_mask(6, (2, 12), window="split"), segment_mask(6, (2, 12)))


def test_a_mask_may_be_changed_by_its_owner():
    segment_mask(4, (2, 5)).fill_(False)
    assert segment_mask(4, (2, 5)).any()


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"at most the 19 columns .* got 24, which leaves a frame without a token"):
        segment_mask(24, (12, 19), window="split")
    with pytest.raises(ValueError, match="`num_segments` must be at least 1, got 0"):
        segment_mask(0, (12, 19))
    with pytest.raises(ValueError, match=r"`grid` must be two positive numbers .* got \(12, 0\)"):
        segment_mask(12, (12, 0))
    with pytest.raises(ValueError, match='`window` must be "official" or "split", got \'paper\''):
        segment_mask(12, (12, 19), window="paper")
