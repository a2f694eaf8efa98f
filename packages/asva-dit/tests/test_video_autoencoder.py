"""CogVideoX's autoencoder in its authors' own names, both ways."""

import pytest
import torch

import asva_dit.video_autoencoder as autoencoder
from asva_dit import load_cogvideox_vae, restore_cogvideox_vae
from asva_weights import ConversionError

SMALL = {"block_out_channels": (8, 8, 8, 16), "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4}
# As the authors' file and the conversion script of diffusers have them.
NAMES = {
    "encoder.down_blocks.3.resnets.0.conv_shortcut.weight": "encoder.down.3.block.0.nin_shortcut.weight",
    "encoder.down_blocks.1.downsamplers.0.conv.bias": "encoder.down.1.downsample.conv.bias",
    "encoder.mid_block.resnets.0.norm1.weight": "encoder.mid.block_1.norm1.weight",
    "decoder.mid_block.resnets.1.conv2.conv.weight": "decoder.mid.block_2.conv2.conv.weight",
    "decoder.up_blocks.0.resnets.1.norm1.conv_y.conv.weight": "decoder.up.3.block.1.norm1.conv_y.conv.weight",
    "decoder.up_blocks.2.upsamplers.0.conv.weight": "decoder.up.1.upsample.conv.weight",
    "decoder.norm_out.norm_layer.weight": "decoder.norm_out.norm_layer.weight",
}


@pytest.fixture
def vae(monkeypatch):
    from diffusers import AutoencoderKLCogVideoX

    monkeypatch.setattr(autoencoder, "COGVIDEOX_VAE", autoencoder.COGVIDEOX_VAE | SMALL)
    made = AutoencoderKLCogVideoX(**SMALL)
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            parameter.fill_(number)
    return made


def test_every_weight_both_ways(vae, tmp_path):
    state = vae.state_dict()
    original = restore_cogvideox_vae(state)
    assert len(original) == len(state)
    assert all(torch.equal(original[theirs], state[ours]) for ours, theirs in NAMES.items())
    torch.save({"state_dict": original | {"loss.discriminator.0.weight": torch.zeros(1)}}, tmp_path / "3d-vae.pt")
    again = load_cogvideox_vae(tmp_path / "3d-vae.pt")
    assert again.config.scaling_factor == 0.7
    assert again.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize("name", ["decoder.up.3.block.0.conv1.conv.weight", "quant_conv.weight"])
def test_a_weight_too_few_or_too_many(vae, tmp_path, name):
    original = restore_cogvideox_vae(vae.state_dict())
    if name in original:
        original.pop(name)
    else:
        original[name] = torch.zeros(1)
    torch.save(original, tmp_path / "3d-vae.pt")
    with pytest.raises(ConversionError, match=name.replace(".", r"\.")):
        load_cogvideox_vae(tmp_path / "3d-vae.pt")
