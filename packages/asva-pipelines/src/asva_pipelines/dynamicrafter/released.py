"""The released DynamiCrafter, 512 and 512_Interp: one checkpoint becomes a pipeline without sound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_pipelines.dynamicrafter.method import CHECKPOINT, METHOD
from asva_pipelines.loading.shared_files import TOKENIZER_FILES, openclip_files, openclip_parts
from asva_unet.latent_video import build_parts, check_schedule, input_channels, read_stage
from asva_weights.checkpoint import weights_in
from asva_weights.release import Files, Release, Say, blame

# What the original's scripts and inference_512_v1.0.yaml set; weights do not carry it. Its one guidance scale drops
# text and image together, which equal scales do here.
RELEASED_SETTINGS: dict[str, Any] = {
    "num_frames": 16,
    "fps": 24,
    "height": 320,
    "width": 512,
    "dynamic_rescale": True,
    "vae_sample": "sample",
    "num_inference_steps": 50,
    "eta": 1.0,
    "text_guidance_scale": 7.5,
    "image_guidance_scale": 7.5,
    "audio_guidance_scale": 1.0,
    "guidance_rescale": 0.7,
}
INTERP_SETTINGS: dict[str, Any] = RELEASED_SETTINGS | {"fps": 5}
_WHAT = "DynamiCrafter checkpoint"
_PARTS = {name: name for name in ("unet", "vae", "text_encoder", "image_encoder", "image_projector")}


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is None:
        path = source / CHECKPOINT
        theirs = path.is_file() and input_channels(path) != 4  # which is VideoCrafter's, of the same name
        return {CHECKPOINT: path} | openclip_files(source) if theirs else None
    names = weights_in(content)
    if (
        not any("model.diffusion_model.input_blocks." in name for name in names)
        or any(".to_k_ap." in name for name in names)
        or input_channels(content) == 4
    ):
        return None
    return {CHECKPOINT: source} | openclip_files(source.parent)


def _read(files: Files, say: Say) -> Release:
    from asva_unet import checkpoint_family

    path = files[CHECKPOINT]
    state, parts = read_stage(path, _WHAT)
    with blame(path, _WHAT):
        if (family := checkpoint_family(state)) != "dynamicrafter":
            raise ValueError(f"its weights are those of {family}.")
        check_schedule(parts["schedule"])
        networks = build_parts(parts, _PARTS, num_frames=RELEASED_SETTINGS["num_frames"])
    interp = _is_interpolator(path)
    say(_which(interp))
    model, settings = "DynamiCrafter_512", RELEASED_SETTINGS
    if interp:
        model, settings = f"{model}_Interp", INTERP_SETTINGS
    return METHOD.release(networks, model, **openclip_parts(files, networks), **settings)


def _is_interpolator(path: Path) -> bool:
    """Both 512 models have the same weights by name and shape; only the name of a folder can tell them apart."""
    names = [part.lower() for part in path.absolute().parts[:-1]]
    return any("dynamicrafter" in name and "interp" in name for name in names)


def _which(interp: bool) -> str:
    if interp:
        return (
            "Note: taken for DynamiCrafter_512_Interp, by the name of its folder. It was trained to be given the last "
            "frame too; from a first frame alone DynamiCrafter_512 is the better one."
        )
    return "Note: taken for DynamiCrafter_512; the interpolator would have 'DynamiCrafter' and 'interp' in its folder."


DYNAMICRAFTER = METHOD.released_files(
    wants=f"`{CHECKPOINT}` of DynamiCrafter_512 or DynamiCrafter_512_Interp",
    find=_find,
    read=_read,
    elsewhere=TOKENIZER_FILES,
)
