"""Names and shapes of the released checkpoints, both ways, and files that are not what they should be."""

import json
import pickle

import pytest
import torch

from asva_audio import (
    ImageBindAudioEncoder,
    ImageBindAudioHead,
    convert_imagebind_audio,
    convert_imagebind_head,
    invert_imagebind_audio,
    load_imagebind_audio,
    split_imagebind,
)
from asva_audio.weights import PREFIXES

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
# File of key lists, where ImageBind stands in it, step of the patches it was trained with.
KEY_LISTS = [
    ("asva/full_keys_imagebind_vta.json", "", 10),
    ("keyvid/full_keys_keyframe.json", "imagebind_model.", (10, 4)),
    ("keyvid/full_keys_interp.json", "imagebind_model.", (10, 4)),
]


def original(prefix="", **options) -> dict[str, torch.Tensor]:
    """A small ImageBind with random weights under its original names, a second modality beside the audio."""
    audio = ImageBindAudioEncoder(**{**SMALL, **options}).state_dict()
    rest = {"modality_trunks.vision.blocks.0.norm_1.weight": torch.ones(4)}
    return invert_imagebind_audio(audio, prefix=prefix, rest=rest)


@pytest.mark.parametrize(("name", "prefix", "stride"), KEY_LISTS, ids=[name.split("/")[1] for name, _, _ in KEY_LISTS])
def test_full_size_keys_and_shapes_both_ways(parity_folder, name, prefix, stride):
    path = parity_folder / name
    if not path.exists():
        pytest.skip(f"no {path} (set ASVA_PARITY_DIR)")
    keys = json.loads(path.read_text(encoding="utf-8"))
    shapes = {key: list(shape) for key, shape in keys.get("keys", keys).items() if key.startswith(prefix)}
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    with torch.device("meta"):
        encoder = ImageBindAudioEncoder(stride=stride)
        head = ImageBindAudioHead()
    weights = convert_imagebind_audio(state, prefix=prefix)
    assert {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in encoder.state_dict().items()}
    assert {k: v.shape for k, v in convert_imagebind_head(state, prefix=prefix).items()} == {
        k: v.shape for k, v in head.state_dict().items()
    }
    _, rest = split_imagebind(state, prefix=prefix)
    back = invert_imagebind_audio(weights, prefix=prefix, rest=rest)
    assert {key: list(value.shape) for key, value in back.items()} == shapes


def test_positions_of_the_released_file_are_resized_to_the_grid_of_keyvid():
    state = original(stride=10)
    weights = convert_imagebind_audio(state, grid=(12, 48))
    assert weights["positions"].shape == (1, 577, 32)
    ImageBindAudioEncoder(**SMALL).load_state_dict(weights)
    with pytest.raises(ValueError, match=r"`grid` must have the bands of the checkpoint, got \(11, 48\)"):
        convert_imagebind_audio(state, grid=(11, 48))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("modality_trunks.audio.blocks.1.attn.bias_k"), r"1 missing: .*blocks\.1\.attn\.bias_k"),
        (lambda s: s.update({"modality_trunks.audio.blocks.0.lora": torch.ones(1)}), r"1 unknown: .*lora"),
        (lambda s: s.update({"modality_trunks.smell.norm": torch.ones(1)}), "only keys of ImageBind .*smell"),
        (lambda s: s.clear(), "must hold an ImageBind audio tower"),
    ],
    ids=["missing", "unknown", "other", "empty"],
)
def test_a_wrong_key_is_an_error(change, message):
    state = original()
    change(state)
    with pytest.raises(ValueError, match=message):
        convert_imagebind_audio(state)
    with pytest.raises(ValueError, match=r"lacks 'modality_preprocessors"):
        invert_imagebind_audio({"blocks.0.norm1.weight": torch.ones(1)})
    with pytest.raises(ValueError, match="head of ImageBind's audio tower lacks"):
        convert_imagebind_head(original())


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("nested", [False, True])
def test_a_file_becomes_an_encoder(tmp_path, prefix, nested):
    state = original(prefix=prefix, stride=10)
    path = tmp_path / "imagebind.pth"
    torch.save({"state_dict": state, "epoch": 3} if nested else state, path)
    encoder = load_imagebind_audio(path, num_attention_heads=2)
    assert encoder.grid == (12, 48) and not encoder.training
    expected = convert_imagebind_audio(state, prefix=prefix, grid=(12, 48))
    torch.testing.assert_close(dict(encoder.state_dict()), expected, rtol=0, atol=0)


class Bomb:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "which does not exist"),
        (lambda path: path.write_bytes(b""), "damaged: fetch it again"),
        (lambda path: path.write_bytes(b"PK\x03\x04 half a file"), "damaged: fetch it again"),
        (lambda path: path.write_bytes(pickle.dumps(Bomb(), 2)), "would run code"),
        (lambda path: torch.save({"state_dict": Bomb()}, path), "would run code"),
        (lambda path: torch.save(torch.ones(3), path), r"weights by name, got .* with Tensor"),
        (
            lambda path: torch.save({**original(), "modality_trunks.audio.blocks.1.mlp.fc2.bias": torch.ones(3)}, path),
            r"weights\.pth.* shapes of the network, got modality_trunks\.audio\.blocks\.1\.mlp\.fc2\.bias \(3,\)",
        ),
    ],
    ids=["missing", "empty", "half", "pickle", "pickle in zip", "tensor", "shape"],
)
def test_a_bad_file_gives_one_line(tmp_path, capsys, write, message):
    path = tmp_path / "weights.pth"
    write(path)
    with pytest.raises(ValueError, match=message) as caught:
        load_imagebind_audio(path, num_attention_heads=2)
    assert "\n" not in str(caught.value) and not capsys.readouterr().out
