"""Folders as the original code writes them: read, refused, written back."""

import json

import pytest
import torch

from asva_unet import AVSyncDUNet, load_avsyncd_unet, save_avsyncd_unet
from asva_weights import ConversionError

SMALL = {
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "norm_num_groups": 8,
    "cross_attention_dim": 12,
    "attention_head_dim": 2,
    "audio_cross_attention_dim": 10,
}


@pytest.fixture
def model(randomised):
    return randomised(AVSyncDUNet(**SMALL))


@pytest.fixture
def release(model, tmp_path):
    save_avsyncd_unet(model, tmp_path)
    return tmp_path


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize("audio", [True, False])
def test_there_and_back(randomised, tmp_path, audio):
    model = randomised(AVSyncDUNet(**SMALL, audio=audio))
    save_avsyncd_unet(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    name = "FFSpatioAudioTempCrossAttnDownBlock3D" if audio else "FFSpatioTempCrossAttnDownBlock3D"
    assert config["down_block_types"] == [name, "FFSpatioTempResDownBlock3D"]
    again = load_avsyncd_unet(tmp_path)
    assert again.config["audio"] == audio and again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_weights_in_a_pickle(release, model):
    (release / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(model.state_dict(), release / "diffusion_pytorch_model.bin")
    assert torch.equal(load_avsyncd_unet(release).conv_out.weight, model.conv_out.weight)


def test_the_folder_is_also_diffusers(release, model):
    again = AVSyncDUNet.from_pretrained(release)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers_per_block": 2}, "must hold every weight of the network, .* missing"),
        ({"cross_attention_dim": 11}, "must have the shapes of the network"),
        ({"down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"]}, "must hold known weights only"),
        ({"use_linear_projection": True}, "with use_linear_projection=False, got True"),
        ({"mid_block_scale_factor": 2}, "with mid_block_scale_factor=1, got 2"),
    ],
)
def test_what_does_not_fit_is_refused(release, change, message):
    change_config(release, **change)
    with pytest.raises(ValueError, match=message):
        load_avsyncd_unet(release)


def test_folders_that_are_no_release(release, tmp_path):
    with pytest.raises(ConversionError, match=r"`folder` must hold config\.json and one of"):
        load_avsyncd_unet(tmp_path / "elsewhere")
    (release / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConversionError, match=r"`folder` must hold a config\.json in JSON"):
        load_avsyncd_unet(release)


def test_a_switch_of_ours_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="`model` must be as released, got first_frame_attention=False"):
        save_avsyncd_unet(AVSyncDUNet(**SMALL, first_frame_attention=False), tmp_path)
