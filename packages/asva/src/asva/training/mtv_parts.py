"""Parts of MTV models: read by the class that their folder names, or built small."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from asva.training.components import build_component
from asva.training.loop import RunError

# A class of another name is never imported, whatever a folder says.
LIBRARIES = {
    "AutoencoderKLCogVideoX": "diffusers",
    "CogVideoXTransformer3DModel": "diffusers",
    "T5EncoderModel": "transformers",
    "CLIPTextModel": "transformers",
    "Wav2Vec2Model": "transformers",
    "MTVTransformer3DModel": "asva_dit",
    "PatchVideoAutoencoder": "asva.pipelines.mtv_vae",
    "LogMelFrames": "asva.pipelines.mtv_sound",
}
_SMALL = {"vae": "PatchVideoAutoencoder", "audio_encoder": "LogMelFrames"}


def part_class(name: str) -> type:
    """The class of a name, imported when asked for."""
    return getattr(import_module(LIBRARIES[name]), name)


def build_part(name: str, config: dict[str, Any], seed: int) -> nn.Module:
    """A small part with random weights that follow ``seed``."""
    if name in _SMALL:
        return part_class(_SMALL[name])(**config)
    return build_component(name, config, seed)


def read_part(name: str, folder: Path, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A part of a model folder, its weights in ``dtype`` however they are stored.

    Raises:
        RunError: If the folder does not hold it, or something else.
        ModelError: If what it holds is damaged.
    """
    from asva.models.folders import damage_named

    path = folder / "config.json"
    if not path.is_file():
        raise RunError(f"`{name}` must be in {folder}, found nothing there. Train or convert it first.")
    with damage_named(folder):
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config.get("_class_name") or (config.get("architectures") or [""])[0]
    if kind not in (*LIBRARIES, "Wav2Vec2ForCTC"):
        raise RunError(f"`{name}` must be one of {', '.join(LIBRARIES)}, got {kind or 'no class'} in {folder}.")
    with damage_named(folder):
        if kind == "Wav2Vec2ForCTC":
            from asva_audio import load_wav2vec

            return load_wav2vec(folder)
        return part_class(kind).from_pretrained(folder, dtype=dtype, local_files_only=True)


def second_speaker(model: nn.Module) -> nn.Module:
    """A model of one speaker made one of two, whose second hears and acts as the first does."""
    from asva_dit import MTVTransformer3DModel

    with torch.device("meta"):
        wider = MTVTransformer3DModel.from_config(model.config, num_speakers=2)
    state = dict(model.state_dict())
    for name, value in list(state.items()):
        if ".control.speech.0." in name:
            state[name.replace(".speech.0.", ".speech.1.")] = value.clone()
    width = model.config.audio_dim
    state |= {f"control.interaction.speaker_embedding.{index}": torch.zeros(width) for index in range(2)}
    wider.load_state_dict(state, assign=True)
    return wider
