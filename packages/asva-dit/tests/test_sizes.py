"""Sizes of the variants against the budget of the published code, and the memory of a prediction."""

import pytest
import torch
from torch.distributed._tools.mem_tracker import MemTracker

from asva_dit import MTVTransformer3DModel, count_parameters, mtv_config, predict_memory
from asva_dit.sizes import LIVE_TENSORS, ParameterCounts

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
    counts = count_parameters(model)
    millions = ParameterCounts(*(round(part / 1e6) for part in counts))
    assert (millions.projections, millions.interaction, millions.injection) == (projections, 47, injection)
    assert round(counts.control / 1e6) == pytest.approx(total, abs=1)
    assert sum(counts) == sum(parameter.numel() for parameter in model.parameters())


def test_memory_of_the_published_size():
    """480 x 720 x 49 in bfloat16: weights of base and control, and 1.5 GiB a clip beside them."""
    published = predict_memory(mtv_config())
    light = predict_memory({**mtv_config(), "audio_temporal": "token_conv"}, batch_size=2)
    assert published.weights == pytest.approx(21.6, abs=0.2)
    assert light.weights == pytest.approx(14.8, abs=0.2)
    assert (published.activations, light.activations) == pytest.approx((1.53, 3.05), abs=0.02)
    assert published.total == published.weights + published.activations
    with pytest.raises(ValueError, match="multiples of 16"):
        predict_memory(mtv_config(), height=470)


def test_the_estimate_is_what_a_prediction_takes(make_model, make_inputs):
    """Followed tensor by tensor, on tokens that are long and wide enough to hide everything else."""
    model = make_model(num_attention_heads=4, attention_head_dim=64, sample_width=64, sample_height=64).bfloat16()
    inputs = {
        name: value.bfloat16() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in make_inputs(model).items()
    }
    from asva_dit import rotary_embedding

    inputs["hidden_states"] = torch.zeros(1, 3, 16, 64, 64, dtype=torch.bfloat16)
    inputs["image_rotary_emb"] = rotary_embedding(model, 3, 64, 64)
    tracker = MemTracker()
    tracker.track_external(model)
    with torch.no_grad(), tracker:
        model(**inputs)
    peak = next(iter(tracker.get_tracker_snapshot("peak").values()))
    activations = sum(size for kind, size in peak.items() if str(kind).endswith(("ACT", "TEMP")))
    tokens = 3 * 32 * 32 + 5
    assert activations / (tokens * 256 * 2) == pytest.approx(LIVE_TENSORS, rel=0.15)
