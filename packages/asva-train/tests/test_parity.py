"""A training step of AVSyncD against the original's: input, answer, loss, gradients (parity asva/train_loss_*)."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asva_audio import ImageBindAudioEncoder, convert_avsyncd_audio, segment_mask
from asva_train import load_recipe
from asva_unet import AVSyncDUNet, make_scheduler
from asva_unet.losses import AVSyncDLoss

FOLDER = Path(os.environ["ASVA_PARITY_DIR"]) / "asva"
FIXTURES = sorted(FOLDER.glob("train_loss_*.safetensors"))
TOLERANCE = 1e-4

pytestmark = pytest.mark.skipif(not FIXTURES, reason=f"no parity fixtures train_loss_* under {FOLDER}")


def _part(tensors, prefix):
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _loss(tensors, facts, num_frames):
    unet = AVSyncDUNet(**facts["unet_config"])
    unet.load_state_dict(_part(tensors, "state/unet."))
    theirs = facts["audio_encoder_config"]
    encoder = ImageBindAudioEncoder(
        stride=(10, 10),
        hidden_size=theirs["audio_embed_dim"],
        num_hidden_layers=theirs["blocks"],
        num_attention_heads=theirs["heads"],
    )
    state = _part(tensors, "state/audio_encoder.")
    # The fixture has drawn the weights of the final norm too; those of the release are ones and zeros.
    plain = {name: torch.full_like(state[name], float("weight" in name)) for name in state if "final_layer" in name}
    encoder.load_state_dict(convert_avsyncd_audio(state | plain)[0])
    recipe = load_recipe("avsyncd")
    schedule = make_scheduler("ddim", zero_terminal_snr=recipe.zero_terminal_snr)
    parts = {"avsyncd_unet": unet, "audio_encoder": encoder}
    heard = segment_mask(num_frames, encoder.grid, window=recipe.segment_window)
    return AVSyncDLoss(recipe, parts, None, schedule, ("avsyncd_unet",), heard=heard)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_training_step(path, record_property):
    tensors, facts = load_file(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    given, expected = _part(tensors, "in/"), _part(tensors, "out/")
    latents = given["latents"].transpose(1, 2)
    module, seen = _loss(tensors, facts, latents.shape[1]), {}
    module.unet.register_forward_hook(lambda _, inputs, output: seen.update(input=inputs[0], output=output.sample))
    tokens, mask = module.hear(given["mel"], ~given["audio_keep"])
    weight, bias = (tensors[f"state/audio_encoder.final_layer_norm.{name}"] for name in ("weight", "bias"))
    question = module.ask(latents, given["text"], tokens * weight + bias, mask)
    loss = module.losses(question, given["timesteps"], given["noise"].transpose(1, 2))["loss"]
    loss.backward()
    unet = module.unet
    results = {
        "unet_input": seen["input"].transpose(1, 2),
        "unet_output": seen["output"].transpose(1, 2),
        "loss": loss,
        "grad_audio_to_k": unet.mid_block.attentions[0].block.attn_audio.to_k.weight.grad,
        "grad_conv_in_temp_weight": unet.conv_in.conv_temp.weight.grad,
        "grad_norm_trainable": torch.stack([p.grad.norm() for p in unet.trainable_parameters().values()]).norm(),
    }
    differences = {name: (value - expected[name]).abs().max().item() for name, value in results.items()}
    record_property(f"parity:{path.stem}", max(differences.values()))
    assert max(differences.values()) <= TOLERANCE, differences
