"""The released TempoTokens: a mapper, BEATs, and zeroscope in the form of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_baselines.tempotokens.method import EARS, MAPPER, METHOD, ZEROSCOPE, ZEROSCOPE_REPO
from asva_pipelines.loading.diffusers_folder import (
    folder_files,
    published_folder,
    read_json,
    read_networks,
    read_tokenizer,
)
from asva_weights import ModelError, read_checkpoint, read_content
from asva_weights.release import Files, Release, Say, blame

SETS = ("vggsound", "landscape", "audioset_drum")


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        if "fga.reduce_potentials.0.weight" in content:
            raise ModelError(f"'{source}' is TempoTokens' mapper: pass its folder, with `{EARS}` and `{ZEROSCOPE}`.")
        return None
    mappers = [
        path for name in ("", *SETS) for home in ("", "models") if (path := source / home / name / MAPPER).is_file()
    ]
    if not mappers:
        return None
    if len(mappers) > 1:
        raise ModelError(f"Folder '{source}' holds {len(mappers)} mappers of TempoTokens: keep one of them there.")
    ears = next((path for home in (source, source / "BEATs") if (path := home / EARS).is_file()), None)
    if ears is None:
        raise ModelError(f"TempoTokens needs BEATs: put '{EARS}' (link in the README of BEATs, MIT) into '{source}'.")
    base = published_folder(source, ZEROSCOPE, ZEROSCOPE_REPO, "TempoTokens")
    return {MAPPER: mappers[0], EARS: ears} | folder_files(base, ZEROSCOPE, ("unet", "vae", "text_encoder"))


def _read(files: Files, say: Say) -> Release:
    from diffusers import UNet3DConditionModel

    from asva_audio.weights import read_beats
    from asva_baselines.tempotokens.mapper import convert_mapper

    state, ears = read_checkpoint(files[MAPPER]), read_content(files[EARS])
    with blame(files[MAPPER], "mapper of TempoTokens"):
        networks: dict[str, Any] = {"mapper": convert_mapper(state)}
    with blame(files[EARS], "BEATs checkpoint"):
        networks["audio_encoder"] = read_beats(ears)
    networks |= read_networks(files, ZEROSCOPE, UNet3DConditionModel)
    say("Note: there is no picture and no prompt; the mapper was trained on one second of sound and is given two.")
    tokenizer = read_tokenizer(files, ZEROSCOPE)
    return METHOD.release(networks, "TempoTokens", tokenizer=tokenizer, scheduler=_scheduler(files))


def _scheduler(files: Files) -> Any:
    """The solver as the original comes by it: what the base leaves to a default is the solver's own default."""
    from diffusers import DDPMScheduler, DPMSolverMultistepScheduler

    base: Any = DDPMScheduler.from_config(read_json(files[f"{ZEROSCOPE}/scheduler/scheduler_config.json"]))
    return DPMSolverMultistepScheduler.from_config(base.config)


TEMPOTOKENS = METHOD.released_files(wants=f"`{MAPPER}`, with `{EARS}` and `{ZEROSCOPE}` beside", find=_find, read=_read)
