"""The released MTV: one checkpoint becomes a pipeline on CogVideoX's and wav2vec's folders."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.mtv.method import CHECKPOINT, COGVIDEOX, METHOD, WAV2VEC
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
_BESIDE = {"vae": COGVIDEOX, "text_encoder": COGVIDEOX, "tokenizer": COGVIDEOX, "audio_encoder": WAV2VEC}


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        module = content.get("module", content)
        return _with_folders({CHECKPOINT: source}, source.parent, given) if _PREFIX + _MARK in module else None
    found = sorted(path for path in (source / CHECKPOINT, *source.glob(f"*/{CHECKPOINT}")) if path.is_file())
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(source)) for path in found)
        raise ModelError(f"Folder '{source}' holds {len(found)} checkpoints of MTV ({names}): pass one of them.")
    return _with_folders({CHECKPOINT: found[0]}, source, given) if found else None


def _with_folders(files: Files, home: Path, given: Files) -> Files:
    """Files of the base and of wav2vec 2.0, in folders beside the checkpoint or where the user says."""
    for part, name in _BESIDE.items():
        folder = given.get(name, home / name)
        place = folder if name == WAV2VEC else folder / part
        found = sorted(path for path in place.glob("*") if path.suffix in _KEPT and path.is_file())
        if not found:
            option = "--cogvideox" if name == COGVIDEOX else "--wav2vec"
            raise ModelError(
                f"MTV needs '{name}', and '{place}' holds nothing: put it there, or name it with `{option}`."
            )
        files |= {f"{name}/{part}/{path.name}": path for path in found}
    return files


def _read(files: Files, say: Say) -> Release:
    from asva_dit import load_mtv_checkpoint

    path = files[CHECKPOINT]
    with blame(path, "MTV checkpoint"):
        transformer = load_mtv_checkpoint(path).eval()
    return Release(
        networks={"transformer": transformer},
        finish=lambda folder, say: _finish(folder, files, transformer, say),
    )


def _finish(folder: Path, files: Files, transformer: torch.nn.Module, say: Say) -> dict[str, Any]:
    """Copy the other parts as they are, and write how it samples."""
    from asva_dit import make_scheduler
    from asva_pipelines.mtv.parts import outline_part, read_part
    from asva_pipelines.mtv.pipeline import MTVPipeline

    for part, name in _BESIDE.items():
        say(f"copying {part} of {name}")
        (folder / part).mkdir()
        for path in (path for key, path in files.items() if key.startswith(f"{name}/{part}/")):
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
    parts["tokenizer"] = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    pipeline = MTVPipeline(transformer=transformer, scheduler=scheduler, **parts, **RELEASED_SETTINGS)
    pipeline.save_config(folder)
    return {"model": f"MTV, {transformer.config.num_speakers} speaker(s)"}


MTV = METHOD.released_files(
    wants=f"`{CHECKPOINT}`, with the folders `{COGVIDEOX}` and `{WAV2VEC}` beside", find=_find, read=_read
)
