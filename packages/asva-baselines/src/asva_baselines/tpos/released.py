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
    scheduler = DDIMScheduler.from_config(schedule, clip_sample=False)
    say(
        "Note: the sound lies anywhere on ten seconds, by the seed, as published; `--set segments=even` cuts it evenly."
    )
    return METHOD.release(networks, "TPoS", tokenizer=read_tokenizer(files, STABLE_DIFFUSION), scheduler=scheduler)


TPOS = METHOD.released_files(wants=f"`{EARS}` and `{MAPPER}`, with `{STABLE_DIFFUSION}` beside", find=_find, read=_read)
