"""Parts of small MTV models, and a model of one speaker made one of two."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from asva_pipelines.mtv.parts import part_class
from asva_train.components import build_component

_SMALL = {"vae": "PatchVideoAutoencoder", "audio_encoder": "LogMelFrames"}


def build_part(name: str, config: dict[str, Any], seed: int) -> nn.Module:
    """A small part with random weights that follow ``seed``."""
    if name in _SMALL:
        return part_class(_SMALL[name])(**config)
    return build_component(name, config, seed)


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
