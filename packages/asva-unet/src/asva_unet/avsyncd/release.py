"""Released folders of AVSyncD's U-Net (``modules/unet``): read strictly, and written back."""

import inspect
import json
import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from asva_unet.avsyncd.from_unet2d import SWITCHES, shared_config
from asva_unet.avsyncd.unet import AVSyncDUNet
from asva_weights import ConversionError, read_checkpoint
from asva_weights.key_table import KeyTable

CONFIG_NAME = "config.json"
WEIGHTS_NAMES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
# What the original's config says and Stable Diffusion's code has no other way for.
CONSTANTS = {"act_fn": "silu", "center_input_sample": False, "downsample_padding": 1, "mid_block_scale_factor": 1}


def load_avsyncd_unet(folder: str | os.PathLike[str]) -> AVSyncDUNet:
    """The U-Net of a released folder, every key and shape checked; the weights are not copied.

    Args:
        folder: ``modules/unet`` of a release: ``config.json`` and the weights, ``.safetensors`` or ``.bin``. With or
            without sound, as the names of its blocks say.

    Raises:
        ConversionError: If a file is missing or damaged, keys are missing or unknown, or shapes differ.
        ValueError: If the config asks for what the network has not.
    """
    folder = Path(folder)
    names = [name for name in WEIGHTS_NAMES if (folder / name).is_file()]
    if not names or not (folder / CONFIG_NAME).is_file():
        raise ConversionError(
            f"`folder` must hold {CONFIG_NAME} and one of {WEIGHTS_NAMES}, got '{folder}'; a release has them in "
            "modules/unet."
        )
    try:
        config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConversionError(f"`folder` must hold a {CONFIG_NAME} in JSON, got '{folder}': {error}.") from error
    with torch.device("meta"):
        model = AVSyncDUNet(**_our_config(config))
    state = read_checkpoint(folder / names[0])
    model.load_state_dict(KeyTable(()).to_ours(state, model.state_dict(), "AVSyncD's U-Net"), assign=True)
    return model


def save_avsyncd_unet(model: AVSyncDUNet, folder: str | os.PathLike[str]) -> None:
    """Write ``modules/unet`` as the original code reads it: the inverse of ``load_avsyncd_unet``.

    Raises:
        ValueError: If ``model`` has a switch that the original has not.
    """
    if switched := [name for name in SWITCHES[2:] if not model.config[name]]:
        raise ValueError(f"`model` must be as released, got {switched[0]}=False, which the original has not.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = json.dumps(_original_config(model), indent=2, sort_keys=True)
    (folder / CONFIG_NAME).write_text(config + "\n", encoding="utf-8")
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / WEIGHTS_NAMES[0], metadata={"format": "pt"})


def _our_config(config: dict) -> dict:
    expected = set(inspect.signature(AVSyncDUNet.__init__).parameters) - set(SWITCHES[1:]) - {"self"}
    ours = shared_config(config, expected)
    blocks = ours.get("down_block_types", ())
    return {**ours, "audio": not blocks or any("Audio" in name for name in blocks)}


def _original_config(model: AVSyncDUNet) -> dict:
    config = {name: value for name, value in model.config.items() if name not in SWITCHES and not name.startswith("_")}
    audio = "Audio" * model.config["audio"]
    for side, way in (("down", "Down"), ("up", "Up")):
        config[f"{side}_block_types"] = [
            f"FFSpatio{audio}TempCrossAttn{way}Block3D" if "CrossAttn" in name else f"FFSpatioTempRes{way}Block3D"
            for name in config[f"{side}_block_types"]
        ]
    config["mid_block_type"] = f"FFSpatio{audio}TempCrossAttnUNetMidBlock3D"
    if audio:
        config["audio_cross_attention_dim"] = model.config["audio_cross_attention_dim"]
    return {**config, **CONSTANTS, "_class_name": f"{audio}UNet3DConditionModel"}
