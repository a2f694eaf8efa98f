"""TempoTokens' mapper: equal to the original, every weight in its place, windows of the size that the paper says."""

import pytest
import torch
from diffusers import UNet3DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from asva_baselines import TempoTokensMapper
from asva_baselines.tempotokens.mapper import convert_mapper, invert_mapper

WORDS = ("temporal", "local1", "local2", "local3", "local4", "class")


def keys_of(parity, group):
    [found] = [value["keys"] for name, value in parity.record["groups"].items() if name.startswith(group)]
    return found


def words_of(outputs, clip="class"):
    """(b, t, 6, d) from what the original returns one by one."""
    frames = outputs["temporal"].shape[1]
    clip_word = outputs[clip][:, None].expand(-1, frames, -1)
    return torch.stack([*(outputs[name] for name in WORDS[:-1]), clip_word], dim=2)


@pytest.mark.parity("baselines/tt_mapper")
def test_words_equal_the_originals(parity):
    mapper = convert_mapper(parity.state, num_frames=parity.config["seq_target_length"])
    features, mask = parity.inputs["audio_features"], parity.inputs["dropout_mask"]
    with torch.no_grad():
        torch.testing.assert_close(mapper(features), words_of(parity.outputs), atol=1e-5, rtol=0)
        dropped = words_of(parity.outputs, "class_dropped")
        torch.testing.assert_close(mapper(features, mask.mT), dropped, atol=1e-5, rtol=0)
    assert (words_of(parity.outputs) - dropped).abs().max() > 1e-3, "the mask matters"


@pytest.mark.parity("baselines/full_keys_tempotokens")
def test_keys_are_those_of_the_full_size(parity):
    with torch.device("meta"):
        mapper = TempoTokensMapper()
    wanted = {name: tuple(shape) for name, shape in keys_of(parity, "learned_embeds").items()}
    assert {name: tuple(value.shape) for name, value in invert_mapper(mapper).items()} == wanted
    convert_mapper({name: torch.empty(shape, device="meta") for name, shape in wanted.items()})


@pytest.mark.parity("baselines/full_keys_tempotokens")
def test_what_it_stands_on_has_the_keys_of_diffusers_and_transformers(parity):
    """The folder `unet/` is read as it is; the text encoder under the names that it had before transformers 5."""
    with torch.device("meta"):
        unet = UNet3DConditionModel()
        text = CLIPTextModel(
            CLIPTextConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16)
        )
    for network, group, prefix in ((unet, "unet", ""), (text, "text_encoder", "text_model.")):
        wanted = {name.removeprefix(prefix): tuple(shape) for name, shape in keys_of(parity, group).items()}
        wanted.pop("embeddings.position_ids", None)
        assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == wanted


def test_words_at_the_ends_are_averages_of_what_is_there():
    torch.manual_seed(0)
    mapper = TempoTokensMapper(4, 6, 5, num_frames=6)
    with torch.no_grad():
        words = mapper(torch.randn(1, 12, 4))[0]
    own = words[:, 0]
    torch.testing.assert_close(words[0, 1], own[0])
    torch.testing.assert_close(words[3, 1], own[2:4].mean(0))
    torch.testing.assert_close(words[5, 2], own[3:6].mean(0))
    torch.testing.assert_close(words[2, 4], own.mean(0))
    torch.testing.assert_close(words[0, 5], words[5, 5])


def test_tokens_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="`features` must hold a multiple of 6 tokens, got shape"):
        TempoTokensMapper(4, 6, 5, num_frames=6)(torch.zeros(1, 13, 4))
