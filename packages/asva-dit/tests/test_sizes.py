"""Sizes of the variants against the budget of the published code."""

import pytest
import torch

from asva_dit import MTVTransformer3DModel, mtv_config
from asva_dit.control_file import is_control

SMALL_BASE = {
    "num_attention_heads": 30,
    "num_layers": 30,
    "in_channels": 16,
    "use_rotary_positional_embeddings": False,
    "use_learned_positional_embeddings": False,
}


@pytest.mark.parametrize(
    ("changes", "projections", "injection", "total"),
    [
        ({}, 3733, 2182, 5962),
        ({"audio_temporal": "token_conv"}, 113, 2182, 2342),
        ({"audio_temporal": "token_conv", "injection_interval": 2}, 113, 1091, 1251),
        ({"audio_temporal": "token_conv", "injection_interval": 2, "injection_heads": 16}, 113, 430, 590),
        ({"audio_temporal": "token_conv", **SMALL_BASE}, 113, 709, 869),
    ],
    ids=["published", "token-conv", "every-2nd", "width-1024", "2b"],
)
def test_variants_have_the_size_of_the_budget(changes, projections, injection, total):
    with torch.device("meta"):
        model = MTVTransformer3DModel(**{**mtv_config(), **changes})
    counts = dict.fromkeys(("projections", "interaction", "injection"), 0)
    for name, parameter in model.named_parameters():
        if is_control(name):
            inside = "interaction" if name.startswith("control.interaction.") else "projections"
            counts["injection" if name.startswith("transformer_blocks.") else inside] += parameter.numel()
    assert [round(part / 1e6) for part in counts.values()] == [projections, 47, injection]
    assert round(sum(counts.values()) / 1e6) == pytest.approx(total, abs=1)
