"""The audio tower against the original on stored results, and against attention written out."""

import pytest
import torch

from asva_audio import ImageBindAudioEncoder, convert_imagebind_audio, imagebind_mel, null_mel, resize_positions


def encoder_of(constructor: dict) -> ImageBindAudioEncoder:
    return ImageBindAudioEncoder(
        num_frames=constructor["audio_target_len"],
        stride=constructor["audio_stride"],
        hidden_size=constructor["audio_embed_dim"],
        num_hidden_layers=constructor["audio_num_blocks"],
        num_attention_heads=constructor["audio_num_heads"],
        class_token=constructor.get("num_cls_tokens", 1) == 1,
    ).eval()


@pytest.mark.parity("keyvid/j*_imagebind_audio*.safetensors")
def test_every_block_matches_the_original(parity):
    encoder = encoder_of(parity.config["constructor"])
    encoder.load_state_dict(convert_imagebind_audio(parity.state))
    with torch.no_grad():
        for name in parity.config["sample_rates"]:
            mel = imagebind_mel(parity.outputs[f"resampled_{name}"][0])
            torch.testing.assert_close(mel[0], parity.outputs[f"mel_{name}"], rtol=0, atol=2e-5)
            output = encoder(mel, output_hidden_states=True)
        expected = [parity.outputs["patch_tokens"]]
        expected += [parity.outputs[f"block_{i}"] for i in range(len(encoder.blocks))]
        for ours, theirs in zip(output.hidden_states, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)
        torch.testing.assert_close(output.last_hidden_state, parity.outputs["forward_audio"], rtol=0, atol=2e-5)
        null = encoder(null_mel()).last_hidden_state
        torch.testing.assert_close(null, parity.outputs["null_forward_audio"], rtol=0, atol=2e-5)


@pytest.mark.parity("keyvid/j*_posembed*.safetensors")
def test_positions_match_the_original(parity):
    resized = resize_positions(parity.inputs["pos_embed_229"], (12, 19), (12, 48))
    torch.testing.assert_close(resized, parity.outputs["pos_embed_577"], rtol=0, atol=2e-5)
