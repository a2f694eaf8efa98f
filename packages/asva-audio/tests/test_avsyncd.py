"""Names of AVSyncD's own audio encoder folder, both ways."""

import pytest
import torch

from asva_audio import ImageBindAudioEncoder, convert_avsyncd_audio, invert_avsyncd_audio

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "stride": 10}
HEAD = {
    "modality_heads.audio.0.weight": torch.ones(16),
    "modality_heads.audio.0.bias": torch.zeros(16),
    "modality_heads.audio.2.weight": torch.ones(4, 16),
    "modality_postprocessors.audio.1.log_logit_scale": torch.tensor(20.0).log(),
}


def test_both_ways_give_the_same():
    weights = ImageBindAudioEncoder(**SMALL).state_dict()
    original = invert_avsyncd_audio(weights, HEAD)
    assert {"preprocessor.cls_token", "trunk.blocks.1.attn.bias_k", "final_layer_norm.bias"} <= original.keys()
    again, rest = convert_avsyncd_audio(original)
    torch.testing.assert_close(again, dict(weights), rtol=0, atol=0)
    torch.testing.assert_close(rest, HEAD, rtol=0, atol=0)


@pytest.mark.parity("asva/imagebind_audio*.safetensors")
def test_the_names_of_the_original_come_back(parity):
    parity.state["final_layer_norm.weight"] = torch.ones_like(parity.state["final_layer_norm.weight"])
    parity.state["final_layer_norm.bias"] = torch.zeros_like(parity.state["final_layer_norm.bias"])
    again = invert_avsyncd_audio(*convert_avsyncd_audio(parity.state))
    assert again.keys() == parity.state.keys()
    for key, value in parity.state.items():
        torch.testing.assert_close(again[key], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("trunk.blocks.0.attn.bias_k"), "1 missing"),
        (lambda s: s.update({"trunk.blocks.0.lora": torch.ones(1)}), "1 unknown"),
        (lambda s: s.update({"unet.weight": torch.ones(1)}), "unknown key 'unet.weight'"),
        (lambda s: s.pop("final_layer_norm.weight"), r"got none of \['final_layer_norm.weight'\]"),
        (lambda s: s["final_layer_norm.bias"].add_(1), "final norm of ones and zeros, got a trained one"),
    ],
    ids=["missing", "unknown", "foreign", "no norm", "trained norm"],
)
def test_a_wrong_key_is_an_error(change, message):
    state = invert_avsyncd_audio(ImageBindAudioEncoder(**SMALL).state_dict(), HEAD)
    change(state)
    with pytest.raises(ValueError, match=message):
        convert_avsyncd_audio(state)
    with pytest.raises(ValueError, match=r"left over, got 'modality_trunks\.vision\.x'"):
        invert_avsyncd_audio(ImageBindAudioEncoder(**SMALL).state_dict(), {"modality_trunks.vision.x": torch.ones(1)})
