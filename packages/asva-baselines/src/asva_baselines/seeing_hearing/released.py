"""The public parts of Seeing and Hearing: Stable Diffusion 1.5, AnimateDiff's motion layers, ImageBind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_audio.released import IMAGEBIND
from asva_baselines.seeing_hearing.method import ADAPTER, METHOD
from asva_pipelines.avsyncd.method import STABLE_DIFFUSION, STABLE_DIFFUSION_REPO
from asva_pipelines.loading.diffusers_folder import (
    folder_files,
    published_folder,
    read_network,
    read_networks,
    read_tokenizer,
)
from asva_weights import ModelError, read_checkpoint
from asva_weights.release import Files, Release, Say, blame

SCHEDULE = {"beta_schedule": "linear", "beta_start": 0.00085, "beta_end": 0.012, "timestep_spacing": "linspace"}


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None or not (source / ADAPTER).is_dir():
        return None
    imagebind = given.get(IMAGEBIND, source / IMAGEBIND)
    if not imagebind.is_file():
        raise ModelError(f"Seeing and Hearing needs ImageBind: put '{IMAGEBIND}' into '{source}'.")
    base = published_folder(source, STABLE_DIFFUSION, STABLE_DIFFUSION_REPO, "Seeing and Hearing")
    files = folder_files(base, STABLE_DIFFUSION, ("unet", "vae", "text_encoder"))
    return files | folder_files(source / ADAPTER, ADAPTER, ("",), others=()) | {IMAGEBIND: imagebind}


def _read(files: Files, say: Say) -> Release:
    from diffusers import DDIMScheduler, MotionAdapter, UNet2DConditionModel, UNetMotionModel

    from asva_metrics import convert_imagebind

    state = read_checkpoint(files[IMAGEBIND])
    with blame(files[IMAGEBIND], "ImageBind checkpoint"):
        bound = convert_imagebind(state)
    networks: dict[str, Any] = {
        "vision": bound.vision,
        "words": bound.text,
        "audio_encoder": bound.audio,
        "audio_head": bound.audio_head,
    }
    networks |= read_networks(files, STABLE_DIFFUSION, UNet2DConditionModel)
    motion = read_network(files, ADAPTER, "", MotionAdapter)
    networks["unet"] = UNetMotionModel.from_unet2d(networks["unet"], motion).eval()
    tokenizer = read_tokenizer(files, STABLE_DIFFUSION)
    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=False, steps_offset=1)
    say("Note: approximate; the authors released no code for video from sound, see `asva models info seeing-hearing`.")
    return METHOD.release(networks, "Seeing and Hearing, approximate", tokenizer=tokenizer, scheduler=scheduler)


SEEING_HEARING = METHOD.released_files(
    wants=f"`{ADAPTER}`, `{STABLE_DIFFUSION}` and `{IMAGEBIND}`", find=_find, read=_read
)
