"""The released MTV: one checkpoint becomes a pipeline on CogVideoX's and wav2vec's folders."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.mtv.method import CHECKPOINT, COGVIDEOX, METHOD, T5, WAV2VEC
from asva_weights import ModelError
from asva_weights.release import Files, Release, Say, blame

# What the original's sampling scripts set; weights do not carry it.
RELEASED_SETTINGS: dict[str, Any] = {
    "num_frames": 49,
    "overlap": 5,
    "fps": 24,
    "height": 480,
    "width": 720,
    "num_inference_steps": 20,
    "text_guidance_scale": 3.5,
    "audio_guidance_scale": 3.5,
}
_MARK = "transformer.audio_proj.proj1.weight"
_PREFIX = "model.diffusion_model."
_KEPT = (".json", ".safetensors", ".txt", ".model")
_VAE = "3d-vae.pt"
# Folders of the other parts, as diffusers has CogVideoX 5B, or as MTVCraft's own page tells to lay them out.
_BESIDE = {
    "vae": (f"{COGVIDEOX}/vae", "vae"),
    "text_encoder": (f"{COGVIDEOX}/text_encoder", T5),
    "tokenizer": (f"{COGVIDEOX}/tokenizer", T5),
    "audio_encoder": (WAV2VEC,),
}
_PLACES = ("", "*/", "*/1/", "mtv/*/1/")  # of a checkpoint, below what a user may name
_ABOVE = 4  # pretrained_models/mtv/single/1


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        module = content.get("module", content)
        return _with_folders(source, given) if _PREFIX + _MARK in module else None
    found = sorted({path for place in _PLACES for path in source.glob(f"{place}{CHECKPOINT}") if path.is_file()})
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(source).parent) for path in found)
        raise ModelError(f"Folder '{source}' holds {len(found)} checkpoints of MTV ({names}): pass one of them.")
    return _with_folders(found[0], given) if found else None


def _with_folders(checkpoint: Path, given: Files) -> Files:
    """The checkpoint, and files of the base and of wav2vec 2.0 beside or above it, or where the user says."""
    files = {CHECKPOINT: checkpoint}
    for part, names in _BESIDE.items():
        name = names[0].partition("/")[0]
        places = [home / one for home in checkpoint.absolute().parents[:_ABOVE] for one in names]
        if name in given:
            places = [given[name] if name == WAV2VEC else given[name] / part]
        found = next((kept for place in places if (kept := _kept(part, place))), None)
        if found is None:
            option = "--cogvideox" if name == COGVIDEOX else "--wav2vec"
            other = "".join(f" (or '{one}', as MTVCraft has it)" for one in names[1:])
            raise ModelError(
                f"MTV needs '{name}', and '{places[0]}' holds nothing: put it{other} beside the checkpoint, or name it "
                f"with `{option}`."
            )
        files |= {f"{part}/{path.name}": path for path in found}
    return files


def _kept(part: str, place: Path) -> list[Path]:
    """Files of a part in a folder; T5's holds those of its tokenizer too."""
    if part == "vae" and (place / _VAE).is_file():
        return [place / _VAE]
    found = sorted(path for path in place.glob("*") if path.suffix in _KEPT and path.is_file())
    if place.name == T5:
        weights = ("config.json", "generation_config.json", "model")
        found = [path for path in found if path.name.startswith(weights) == (part == "text_encoder")]
    return found


def _read(files: Files, say: Say) -> Release:
    from asva_dit import load_cogvideox_vae, load_mtv_checkpoint

    path, vae = files[CHECKPOINT], files.get(f"vae/{_VAE}")
    with blame(path, "MTV checkpoint"):
        networks = {"transformer": load_mtv_checkpoint(path).eval()}
    if vae is not None:
        with blame(vae, "autoencoder of CogVideoX"):
            networks["vae"] = load_cogvideox_vae(vae)
    return Release(networks=networks, finish=lambda folder, say: _finish(folder, files, networks, say))


def _finish(folder: Path, files: Files, networks: dict[str, torch.nn.Module], say: Say) -> dict[str, Any]:
    """Copy the other parts as they are, and write how it samples."""
    from asva_dit import make_scheduler
    from asva_pipelines.mtv.parts import outline_part, read_part
    from asva_pipelines.mtv.pipeline import MTVPipeline

    for part in (part for part in _BESIDE if part not in networks):
        say(f"copying {part}")
        (folder / part).mkdir()
        for path in (path for key, path in files.items() if key.startswith(f"{part}/")):
            shutil.copy(path, folder / part / path.name)
    from transformers import AutoTokenizer

    scheduler = make_scheduler()
    scheduler.save_pretrained(folder / "scheduler")
    # The index wants their classes alone: T5 XXL would take 19 GB.
    parts = {part: outline_part(part, folder / part) for part in ("vae", "text_encoder")}
    parts["audio_encoder"] = read_part("audio_encoder", folder / "audio_encoder")
    if not type(parts["audio_encoder"]).__name__.startswith("Wav2Vec2"):
        raise ModelError(f"'{WAV2VEC}' must hold wav2vec 2.0, got {type(parts['audio_encoder']).__name__}.")
    parts["audio_encoder"].save_pretrained(folder / "audio_encoder")
    parts["tokenizer"] = AutoTokenizer.from_pretrained(
        folder / "tokenizer", local_files_only=True, trust_remote_code=False
    )
    transformer = networks["transformer"]
    pipeline = MTVPipeline(transformer=transformer, scheduler=scheduler, **parts, **RELEASED_SETTINGS)
    pipeline.save_config(folder)
    return {"model": f"MTV, {transformer.config.num_speakers} speaker(s)"}


MTV = METHOD.released_files(
    wants=f"`{CHECKPOINT}`, with `{COGVIDEOX}` (or `vae/{_VAE}` and `{T5}`) and `{WAV2VEC}` beside",
    find=_find,
    read=_read,
)
