"""What learns: MTV's control, and the base's attention beside it (MTV, section 4.3)."""

from __future__ import annotations

import re

import torch
from torch import nn

from asva_dit.control_file import is_control
from asva_dit.transformer import MTVTransformer3DModel

# The original trains every weight whose name holds "audio" or "attention", so the norm behind the attention as well,
# and the norms of queries and keys not.
BACKBONE = r"transformer_blocks\.\d+\.(attn1\.to_(q|k|v|out\.0)|norm2\.norm)\.(weight|bias)"


def freeze_all_but_control(model: MTVTransformer3DModel, *, backbone_attention: bool = True) -> dict[str, nn.Parameter]:
    """Let the control learn, and the base's attention; freeze the rest.

    Args:
        model: Changed in place.
        backbone_attention: Train the attention of the base too, as published (1.59 billion weights at 5B).

    Returns:
        The parameters that learn by name; those of the base are what ``save_control`` takes as `trained`.
    """
    learning = {}
    for name, parameter in model.named_parameters():
        learns = is_control(name) or (backbone_attention and re.fullmatch(BACKBONE, name) is not None)
        parameter.requires_grad_(learns)
        if learns:
            learning[name] = parameter
    return learning


def second_speaker(model: MTVTransformer3DModel) -> MTVTransformer3DModel:
    """A model of one speaker made one of two, whose second hears and acts as the first does."""
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
