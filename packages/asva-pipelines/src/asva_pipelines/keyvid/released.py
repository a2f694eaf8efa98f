"""The released KeyVID: two checkpoints become one pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_audio.released import IMAGEBIND
from asva_pipelines.keyvid.method import INTERP_CKPT, KEYFRAME_CKPT, METHOD
from asva_pipelines.loading.shared_files import TOKENIZER_FILES, openclip_files, openclip_parts
from asva_unet.latent_video import Parts, build_parts, check_schedule, differing, read_stage
from asva_weights import ModelError, read_checkpoint
from asva_weights.checkpoint import weights_in
from asva_weights.release import Files, Release, Say, State, blame

# What the original's scripts set (spec: KeyVID code, configs and generation.sh); weights do not carry it.
RELEASED_SETTINGS: dict[str, Any] = {
    "fps": 24,
    "num_keyframes": 12,
    "keyframe_fps": 6,
    "height": 320,
    "width": 512,
    "alignment": "official",
    "selection": "inference",
    "dynamic_rescale": True,
    "interp_fill": "zeros",
    "interp_mask_channel": False,
    "interp_noise": "official",
    "interp_injection": True,
    "vae_sample": "sample",
    "num_inference_steps": 90,
    "interp_num_inference_steps": 90,
    "eta": 1.0,
    "interp_audio_guidance_scale": 9.0,
}
_WHAT = "KeyVID checkpoint"
_STRIDE = (10, 4)
_SHARED = {name: name for name in ("vae", "text_encoder", "image_encoder")}
# Both stages trained their own projector.
_FIRST = {**_SHARED, "image_projector": "image_projector", "keyframe_unet": "unet"}
_SECOND = {"interp_image_projector": "image_projector", "interp_unet": "unet"}


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    """Paths by their names on the hub, in a copy made with ``hf download --local-dir`` for example."""
    if content is not None:
        if any(".to_k_ap." in name for name in weights_in(content)):
            raise ModelError(
                f"'{source}' is one of KeyVID's two stages: pass the folder that holds '{KEYFRAME_CKPT}' and "
                f"'{INTERP_CKPT}'."
            )
        return None
    stages = {name: source / name for name in (KEYFRAME_CKPT, INTERP_CKPT)}
    lacking = [name for name, path in stages.items() if not path.is_file()]
    if len(lacking) == len(stages):
        return None
    if lacking:
        raise ModelError(f"Folder '{source}' lacks '{lacking[0]}': copy it there under that name.")
    imagebind = given.get(IMAGEBIND, source / IMAGEBIND)
    beside = {IMAGEBIND: imagebind} if imagebind.is_file() else {}
    return stages | beside | openclip_files(source)


def _read(files: Files, say: Say) -> Release:
    stages = {name: read_stage(files[name], _WHAT)[1] for name in (KEYFRAME_CKPT, INTERP_CKPT)}
    for name in differing(stages[KEYFRAME_CKPT], stages[INTERP_CKPT], tuple(_SHARED)):
        say(f"Note: the two checkpoints hold different weights of the {name}; the first one's are used.")
    networks = released_networks(files, stages)
    return Release(networks=networks, finish=lambda folder, say: _finish(folder, networks, files, say))


def released_networks(files: Files, stages: dict[str, Parts]) -> dict[str, Any]:
    """Every network of both stages, its weights still on disk.

    Raises:
        ModelError: If a weight is missing or unknown, or its shape does not fit.
    """
    from asva_audio import read_imagebind

    with blame(files[KEYFRAME_CKPT], _WHAT):
        first = stages[KEYFRAME_CKPT]
        check_schedule(first["schedule"])
        encoder = read_imagebind(_imagebind(files, first), stride=_STRIDE)
        num_frames = encoder.grid[1]
        networks = {"audio_encoder": encoder, **build_parts(first, _FIRST, num_frames=num_frames)}
    with blame(files[INTERP_CKPT], _WHAT):
        check_schedule(stages[INTERP_CKPT]["schedule"])
        return networks | build_parts(stages[INTERP_CKPT], _SECOND, num_frames=num_frames)


def _imagebind(files: Files, first: Parts) -> State:
    """ImageBind of the checkpoint itself, or of ``imagebind_huge.pth``."""
    if first["audio_encoder"]:
        return first["audio_encoder"]
    if IMAGEBIND not in files:
        raise ModelError(f"it holds no ImageBind, put '{IMAGEBIND}' (CC BY-NC-SA 4.0) into the same folder.")
    return read_checkpoint(files[IMAGEBIND])


def _finish(folder: Path, networks: dict[str, Any], files: Files, say: Say) -> dict[str, Any]:
    from asva_keyframe import load_bundled_localizer
    from asva_pipelines.keyvid.pipeline import KeyVIDPipeline

    others = openclip_parts(files, networks)
    say("Note: KeyVID's localizer was not released; the bundled one is taken.")
    num_frames = networks["image_projector"].config.num_frames
    parts = networks | others | {"localizer": load_bundled_localizer()}
    KeyVIDPipeline(**parts, **RELEASED_SETTINGS, num_frames=num_frames).save_beside(folder)
    return {"localizer": "not KeyVID's (unreleased): the bundled one"}


KEYVID = METHOD.released_files(
    wants=f"`{KEYFRAME_CKPT}` and `{INTERP_CKPT}`", find=_find, read=_read, elsewhere=TOKENIZER_FILES
)
