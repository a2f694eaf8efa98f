"""ImageBind's towers: keys of the full size, equality with the original, errors of the converter."""

import json

import pytest
import torch

from asva_metrics import convert_imagebind, cosine_similarity, invert_imagebind
from asva_metrics.networks.imagebind_convert import MASK


def test_full_size_keys_are_strict_both_ways(parity_folder):
    path = parity_folder / "asva" / "full_keys_imagebind_vta.json"
    if not path.exists():
        pytest.skip(f"no such parity data under {parity_folder} (set ASVA_PARITY_DIR)")
    shapes = json.loads(path.read_text(encoding="utf-8"))
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    model = convert_imagebind(state)
    assert {key: list(value.shape) for key, value in invert_imagebind(model).items()} == shapes
    other = "modality_trunks.depth.blocks.0.norm_1.bias"
    assert len(invert_imagebind(convert_imagebind({**state, other: state[MASK]}))) == len(shapes)
    for change, text in (
        ({"modality_trunks.vision.other": state[MASK]}, "1 unknown"),
        ({"modality_heads.audio.9.weight": state[MASK]}, "1 unknown"),
        ({"modality_trunks.text.blocks.0.norm_1.bias": state[MASK]}, "must have the shapes"),
    ):
        with pytest.raises(ValueError, match=text):
            convert_imagebind({**state, **change})
    for key in (MASK, "modality_trunks.vision.blocks.3.mlp.fc1.bias", "modality_heads.text.proj.1.weight"):
        with pytest.raises(ValueError, match=r"must hold|lacks"):
            convert_imagebind({k: v for k, v in state.items() if k != key})


@torch.no_grad()
@pytest.mark.parity("asva/imagebind_clip_*.json")
def test_matches_the_original(parity, note):
    config, given, expected = parity.config["config"], parity.inputs, parity.outputs
    heads = {"vision": config["vh"], "text": config["th"], "audio": config["ah"]}
    model = convert_imagebind(parity.state, prefix="net.", num_attention_heads=heads)
    back = invert_imagebind(model)
    assert all(torch.equal(back[key.removeprefix("net.")], value) for key, value in parity.state.items())
    images = model.embed_video(given["video_uint8"])
    sounds, texts = model.embed_audio(given["mel"]), model.embed_text(given["text_tokens"])
    for actual, name in ((images.flatten(0, 1), "image"), (sounds, "audio"), (texts, "text")):
        torch.testing.assert_close(actual, expected[f"{name}_embedding"], rtol=0, atol=2e-5)
    for other, name in ((sounds, "ia_sim"), (texts, "it_sim")):
        similarity = cosine_similarity(images, other[:, None])
        note(similarity, expected[name])
        torch.testing.assert_close(torch.from_numpy(similarity).float(), expected[name], rtol=0, atol=2e-5)
    broken = dict(parity.state)
    broken["net." + MASK] = torch.zeros_like(broken["net." + MASK])
    with pytest.raises(ValueError, match="must hold the causal mask"):
        convert_imagebind(broken, prefix="net.", num_attention_heads=heads)
    for call in (lambda: model.vision(torch.zeros(1, 3, 64, 64)), lambda: model.embed_text(torch.zeros(1, 5).long())):
        with pytest.raises(ValueError, match="must have shape"):
            call()
