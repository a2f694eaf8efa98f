"""Released checkpoints: read strictly, written back, and never run."""

import pytest
import torch

from asva_dit import (
    MTVTransformer3DModel,
    convert_mtv,
    load_mtv_checkpoint,
    mtv_config,
    restore_mtv,
    save_mtv_checkpoint,
)
from asva_weights import ConversionError


@pytest.fixture
def small(control_config):
    """A model in the published form, small."""
    base = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 1, "text_embed_dim": 12}
    size = {"time_embed_dim": 24, "sample_width": 8, "sample_height": 6, "max_text_seq_length": 5}
    return {**base, **size, **control_config}


@pytest.fixture
def model(small):
    return MTVTransformer3DModel(**{**mtv_config(num_speakers=2), **small}).eval()


def test_a_checkpoint_goes_out_and_comes_back(model, small, tmp_path):
    path, unused = tmp_path / "mp_rank_00_model_states.pt", {"transformer.position_embeddings.weight": torch.ones(2, 3)}
    save_mtv_checkpoint(model, path, unused)
    stored = torch.load(path, weights_only=True)["module"]
    assert all(name.startswith("model.diffusion_model.") for name in stored)
    again = load_mtv_checkpoint(path, **small)
    assert again.config.num_speakers == 2
    state = model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.state_dict().items())
    assert load_mtv_checkpoint(path, dtype=torch.bfloat16, **small).dtype == torch.bfloat16
    original = stored
    ours, left = convert_mtv(original, state)
    assert list(left) == list(unused)
    assert {f"model.diffusion_model.{name}" for name in restore_mtv(ours, left)} == original.keys()


def test_what_is_missing_unknown_or_of_another_shape_is_named(model):
    original, like = restore_mtv(model.state_dict()), model.state_dict()
    name = "transformer.layers.0.audio_attn_effect.query.bias"
    with pytest.raises(ConversionError, match=f"1 missing: {name}"):
        convert_mtv({key: tensor for key, tensor in original.items() if key != name}, like)
    with pytest.raises(ConversionError, match=r"1 unknown: transformer\.layers\.0\.other"):
        convert_mtv({**original, "transformer.layers.0.other": torch.zeros(1)}, like)
    with pytest.raises(ConversionError, match=r"audio_attn_effect.query.bias \(3,\) instead of \(32,\)"):
        convert_mtv({**original, name: torch.zeros(3)}, like)
    with pytest.raises(ConversionError, match="every piece of"):
        restore_mtv({key: tensor for key, tensor in like.items() if not key.endswith("attn1.to_q.weight")})
    with pytest.raises(ConversionError, match="`name` must be a parameter"):
        restore_mtv({"other.weight": torch.zeros(1)})


@pytest.mark.parametrize(
    "change", [{"audio_temporal": "token_conv"}, {"injection_interval": 2}, {"injection_heads": 1}]
)
def test_the_original_has_no_light_form(small, change, tmp_path):
    light = MTVTransformer3DModel(**{**mtv_config(), **small, **change})
    with pytest.raises(ConversionError, match=f"must be in the published form, got .'{next(iter(change))}'"):
        save_mtv_checkpoint(light, tmp_path / "x.pt")


class Trap:
    """What a file should never be able to call."""

    def __reduce__(self):
        return print, ("run",)


def test_a_bad_file_is_named(tmp_path):
    with pytest.raises(ConversionError, match="which does not exist"):
        load_mtv_checkpoint(tmp_path / "none.pt")
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04cut")
    with pytest.raises(ConversionError, match="which is damaged"):
        load_mtv_checkpoint(tmp_path / "cut.pt")
    torch.save({"module": {}}, tmp_path / "empty.pt")
    with pytest.raises(ConversionError, match="without a single tensor"):
        load_mtv_checkpoint(tmp_path / "empty.pt")
    torch.save({"module": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ConversionError, match="would run code when"):
        load_mtv_checkpoint(tmp_path / "trap.pt")
