"""Names, shapes and configuration of BEATs checkpoints, both ways, and files that are not what they should be."""

import json

import pytest
import torch

from asva_audio import BEATsEncoder, convert_beats, invert_beats, load_beats

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
# As the file of the released base model states it, less what only training reads.
RELEASED = {
    "input_patch_size": 16,
    "embed_dim": 512,
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "conv_bias": False,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "relative_position_embedding": True,
    "num_buckets": 320,
    "max_distance": 800,
    "gru_rel_pos": True,
    "encoder_layerdrop": 0.05,
    "finetuned_model": True,
    "predictor_class": 527,
}


def original(**options) -> tuple[BEATsEncoder, dict]:
    encoder = BEATsEncoder(**{**SMALL, **options})
    return encoder, invert_beats(encoder.config, encoder.state_dict())


@pytest.mark.parametrize("name", ["full_keys_beats"])
def test_full_size_keys_and_shapes_both_ways(parity_folder, name):
    path = parity_folder / "asva" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no {path} (set ASVA_PARITY_DIR)")
    keys = json.loads(path.read_text(encoding="utf-8"))
    shapes = {key: list(shape) for key, shape in keys.get("keys", keys).items()}
    model = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    config, weights = convert_beats({"cfg": RELEASED, "model": model})
    assert config["max_distance"] == 800 and config["deep_norm"] is True
    with torch.device("meta"):
        encoder = BEATsEncoder(**config)
    assert {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in encoder.state_dict().items()}
    back = invert_beats(config, weights)["model"]
    assert {key: list(value.shape) for key, value in back.items()} == shapes and len(shapes) == 250


def test_both_ways_give_the_same_and_the_predictor_is_dropped():
    encoder, checkpoint = original()
    checkpoint["model"]["predictor.weight"] = torch.ones(527, 16)
    config, weights = convert_beats(checkpoint)
    assert config == {**SMALL, "patch_size": 16, "deep_norm": True}
    torch.testing.assert_close(weights, dict(encoder.state_dict()), rtol=0, atol=0)
    del checkpoint["model"]["predictor.weight"]
    again = invert_beats(config, weights)
    torch.testing.assert_close(again["model"], checkpoint["model"], rtol=0, atol=0)
    assert again["cfg"] == checkpoint["cfg"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("cfg"), "must hold `cfg` and `model`"),
        (lambda c: c.update(cfg=3), r"`checkpoint\['cfg'\]` must be a mapping, got int"),
        (lambda c: c["cfg"].update(layer_norm_first=True), "layer_norm_first = False as the released BEATs, got True"),
        (lambda c: c["cfg"].pop("gru_rel_pos"), "gru_rel_pos = True as the released BEATs, got False"),
        (lambda c: c["cfg"].pop("input_patch_size"), "positive whole input_patch_size, got -1"),
        (lambda c: c["cfg"].update(encoder_layers=3), r"missing: .*encoder\.layers\.2"),
        (lambda c: c["model"].pop("encoder.layers.1.self_attn.grep_a"), r"1 missing: .*layers\.1\.self_attn\.grep_a"),
        (lambda c: c["model"].update({"encoder.lora": torch.ones(1)}), r"1 unknown: .*encoder\.lora"),
        (
            lambda c: c["model"].update(
                {"encoder.layers.1.self_attn.relative_attention_bias.weight": torch.ones(16, 2)}
            ),
            "one table of distance biases in every layer, got different",
        ),
    ],
    ids=["no cfg", "cfg", "pre-norm", "no gate", "no patch", "layers", "missing", "unknown", "tables"],
)
def test_another_checkpoint_is_an_error(change, message):
    _, checkpoint = original()
    change(checkpoint)
    with pytest.raises(ValueError, match=message):
        convert_beats(checkpoint)


def test_wrong_weights_cannot_be_inverted():
    encoder, _ = original()
    with pytest.raises(ValueError, match=r"`state_dict` must hold known weights only, 1 unknown: extra"):
        invert_beats(encoder.config, {**encoder.state_dict(), "extra": torch.ones(1)})
    with pytest.raises(ValueError, match=r"`config` must be that of a BEATsEncoder, got none of \['conv_pos'"):
        invert_beats({}, encoder.state_dict())


def test_a_file_becomes_an_encoder(tmp_path, generator):
    encoder, checkpoint = original(deep_norm=False)
    path = tmp_path / "beats.pt"
    torch.save(checkpoint, path)
    again, fbank = load_beats(path), torch.randn(1, 32, 128, generator=generator)
    assert not again.training and again.config.deep_norm is False
    torch.testing.assert_close(again(fbank).last_hidden_state, encoder(fbank).last_hidden_state, rtol=0, atol=0)
    checkpoint["cfg"]["encoder_ffn_embed_dim"] = 32
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=r"got encoder\.layers\.0\.fc1\.bias \(24,\) instead of \(32,\)"):
        load_beats(path)
    torch.save(checkpoint["model"], path)
    with pytest.raises(ValueError, match="must hold `cfg` and `model`"):
        load_beats(path)
