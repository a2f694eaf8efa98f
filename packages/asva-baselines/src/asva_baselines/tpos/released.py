"""The released TPoS: ears, a mapper, and Stable Diffusion 1.4 in the form of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_baselines.tpos.method import EARS, MAPPER, METHOD, STABLE_DIFFUSION, STABLE_DIFFUSION_REPO
from asva_pipelines.loading.diffusers_folder import (
    folder_files,
    published_folder,
    read_json,
    read_networks,
    read_tokenizer,
)
from asva_weights import ModelError, read_checkpoint
from asva_weights.release import Files, Release, Say, blame

# What the original's scripts set; weights do not carry it. Its pictures have no rate: that of the field's clips.
RELEASED_SETTINGS: dict[str, Any] = {
    "num_frames": 12,
    "fps": 6,
    "height": 512,
    "width": 512,
    "num_inference_steps": 50,
    "text_guidance_scales": (7.5, 5.0),
    "audio_guidance_scale": 4.0,
    "audio_gains": (5.0, 20.0),
    "threshold": 0.85,
    "edit_below": 800,
    "strength": 0.75,
    "segments": "official",
}


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        if any(name.removeprefix("module.") == "feature_extractor.conv1.weight" for name in content):
            raise ModelError(
                f"'{source}' is TPoS' audio encoder: pass its folder, with `{MAPPER}` and Stable Diffusion."
            )
        return None
    homes = (source, source / "pretrained_models")
    home = next((home for home in homes if (home / EARS).is_file()), None)
    if home is None:
        return None
    if not (home / MAPPER).is_file():
        raise ModelError(f"TPoS needs its mapper: put '{MAPPER}' into '{home}'.")
    base = published_folder(source, STABLE_DIFFUSION, STABLE_DIFFUSION_REPO, "TPoS")
    files = folder_files(base, STABLE_DIFFUSION, ("unet", "vae", "text_encoder"))
    return {EARS: home / EARS, MAPPER: home / MAPPER} | files


def _read(files: Files, say: Say) -> Release:
    from diffusers import DDIMScheduler, UNet2DConditionModel

    from asva_baselines.tpos.encoder import convert_encoder, convert_mapper

    networks: dict[str, Any] = {}
    for part, name, convert in (("audio_encoder", EARS, convert_encoder), ("mapper", MAPPER, convert_mapper)):
        state = read_checkpoint(files[name])
        with blame(files[name], f"{part} of TPoS"):
            networks[part] = convert(state)
    networks |= read_networks(files, STABLE_DIFFUSION, UNet2DConditionModel)
    schedule = read_json(files[f"{STABLE_DIFFUSION}/scheduler/scheduler_config.json"])
    others = {
        "tokenizer": read_tokenizer(files, STABLE_DIFFUSION),
        "scheduler": DDIMScheduler.from_config(schedule, clip_sample=False),
    }
    say(
        "Note: the sound lies anywhere on ten seconds, by the seed, as published; `--set segments=even` cuts it evenly."
    )
    return Release(networks=networks, finish=lambda folder, say: _finish(folder, networks, others))


def _finish(folder: Path, networks: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    from asva_baselines.tpos.pipeline import TPoSPipeline

    TPoSPipeline(**networks, **others, **RELEASED_SETTINGS).save_beside(folder)
    return {"model": "TPoS"}


TPOS = METHOD.released_files(wants=f"`{EARS}` and `{MAPPER}`, with `{STABLE_DIFFUSION}` beside", find=_find, read=_read)
