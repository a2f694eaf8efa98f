"""The released AVSyncD: its U-Net, Stable Diffusion's autoencoder and text encoder, ImageBind's ears."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_audio.released import IMAGEBIND
from asva_pipelines.avsyncd.method import METHOD
from asva_pipelines.avsyncd.stable_diffusion import read_stable_diffusion, stable_diffusion_files
from asva_weights import ModelError, read_checkpoint
from asva_weights.release import Files, Release, Say, blame

# What the original's generation scripts set; weights do not carry it.
RELEASED_SETTINGS: dict[str, Any] = {
    "num_frames": 12,
    "fps": 6,
    "height": 256,
    "width": 256,
    "segment_window": "official",
    "vae_sample": "sample",
    "num_inference_steps": 50,
    "text_guidance_scale": 1.0,
    "audio_guidance_scale": 4.0,
}
GREATEST_HITS_HEIGHT = 128
UNET, ENCODER = "modules/unet", "modules/audio_encoder"
_CONFIG = "config.json"
_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
# Where the U-Net lies below the folders that a user may name.
_PLACES = (UNET, "unet", ".")


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        if "conv_in.conv_temp.weight" in content:
            raise ModelError(f"'{source}' is AVSyncD's U-Net: pass its folder, `checkpoint-N` with `{UNET}`.")
        return None
    home = _checkpoint(source)
    unet = next((home / place for place in _PLACES if _is_unet(home / place)), None)
    if unet is None:
        return None
    files = _module(unet, UNET)
    files |= _module(unet.parent / "audio_encoder", ENCODER)
    for name in (given.get(IMAGEBIND), source / IMAGEBIND, source / ".checkpoints" / IMAGEBIND):
        if name is not None and name.is_file():
            files.setdefault(IMAGEBIND, name)
    return files | stable_diffusion_files(source, given)


def _checkpoint(source: Path) -> Path:
    """The one checkpoint below ``ckpts``, or the folder itself."""
    found = sorted(path for path in source.glob("ckpts/checkpoint-*") if path.is_dir())
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ModelError(f"Folder '{source}' holds {len(found)} checkpoints of AVSyncD ({names}): pass one of them.")
    return found[0] if found else source


def _is_unet(folder: Path) -> bool:
    """Other models have a folder of that name too: the names of the blocks in its config tell."""
    path = folder / _CONFIG
    return path.is_file() and "FFSpatio" in path.read_text(encoding="utf-8", errors="replace")


def _module(folder: Path, name: str) -> Files:
    weights = [file for file in _WEIGHTS if (folder / file).is_file()][:1]
    found = [file for file in (_CONFIG, *weights) if (folder / file).is_file()]
    return {f"{name}/{file}": folder / file for file in found}


def _weights_of(files: Files, module: str) -> str | None:
    return next((name for name in files if name.startswith(f"{module}/") and not name.endswith(_CONFIG)), None)


def _read(files: Files, say: Say) -> Release:
    from asva_unet import load_avsyncd_unet

    name, folder = _weights_of(files, UNET), files[f"{UNET}/{_CONFIG}"].parent
    if name is None:
        raise ModelError(f"Folder '{folder}' lacks the weights, one of {', '.join(_WEIGHTS)}: fetch it again.")
    with blame(files[name], "U-Net of AVSyncD"):
        networks: dict[str, Any] = {"unet": load_avsyncd_unet(folder).eval()}
    if networks["unet"].config.audio:
        networks["audio_encoder"] = _audio_encoder(files, say)
    sd_networks, others = read_stable_diffusion(files)
    networks |= sd_networks
    height = _height(folder)
    say(f"Note: {height}x{RELEASED_SETTINGS['width']} pixels, by the name of the folder; `--size` takes others.")
    model = "AVSyncD" if "audio_encoder" in networks else "I2VD"
    return METHOD.release(networks, model, **others, **{**RELEASED_SETTINGS, "height": height})


def _audio_encoder(files: Files, say: Say) -> Any:
    """From ImageBind, as the original does; the frozen copy beside the U-Net is the same and will do."""
    from asva_audio import convert_avsyncd_audio, invert_imagebind_audio, read_imagebind

    if IMAGEBIND in files:
        state = read_checkpoint(files[IMAGEBIND])
        with blame(files[IMAGEBIND], "ImageBind checkpoint"):
            return read_imagebind(state)
    own = _weights_of(files, ENCODER)
    if own is None:
        raise ModelError(
            f"AVSyncD needs ImageBind's ears: put '{IMAGEBIND}' (link in the README of facebookresearch/ImageBind, "
            f"4.8 GB, licence CC BY-NC-SA 4.0: no commercial use) into the folder, or name it with `--imagebind`."
        )
    say(f"Note: without '{IMAGEBIND}' the audio encoder of the checkpoint is taken; it was frozen in training.")

    state = read_checkpoint(files[own])
    with blame(files[own], "audio encoder of AVSyncD"):
        return read_imagebind(invert_imagebind_audio(convert_avsyncd_audio(state)[0]))


def _height(folder: Path) -> int:
    """TheGreatestHits alone was trained on flat pictures, and only the names of the folders tell."""
    names = ["".join(filter(str.isalnum, part.lower())) for part in folder.absolute().parts]
    flat = any("greatesthits" in name for name in names) or "checkpoint16000" in names
    return GREATEST_HITS_HEIGHT if flat else RELEASED_SETTINGS["height"]


AVSYNCD = METHOD.released_files(
    wants=f"`{UNET}` of a checkpoint, with `stable-diffusion-v1-5` and `{IMAGEBIND}` beside", find=_find, read=_read
)
