"""Deep features kept between steps, through the arguments of each pipeline's call."""

import pytest
import torch
from fixtures.pipelines import video
from torch.utils.flop_counter import FlopCounterMode

from asva_pipelines import load_pipeline

CALLS = [("keyvid", "cache"), ("keyvid", "interp_cache"), ("avsyncd", "cache"), ("audio-window", "cache")]


@pytest.mark.parametrize(("method", "cache"), CALLS)
def test_kept_features_cost_less_and_nothing_stays_of_a_clip(method_model, method, cache):
    pipeline = load_pipeline(method_model(method), device="cpu")
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False)  # the counter hooks what has gradients

    def cost(**how):
        with FlopCounterMode(display=False) as counter:
            frames = video(pipeline, **how)
        return frames, counter.get_total_flops()

    (plain, whole), (same, still), (near, less) = (cost(), *(cost(**{f"{cache}_interval": every}) for every in (1, 2)))
    assert torch.equal(same, plain) and still == whole > less
    assert not torch.equal(near, plain)
    assert torch.equal(cost(**{f"{cache}_interval": 2})[0], near)
    assert cost(**{f"{cache}_interval": 2, f"{cache}_level": 2})[1] > less
