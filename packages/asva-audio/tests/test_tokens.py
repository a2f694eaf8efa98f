"""Grouping of audio tokens by frame: the original's two slips, and the alignment that the paper describes."""

import pytest
import torch
import torch.nn.functional as F

from asva_audio import frame_audio_tokens, split_audio


def grid_of(parity) -> tuple[int, int]:
    return parity.config["params"]["freq_patches"], parity.config["params"]["time_patches"]


@pytest.mark.parity("keyvid/d*_audio_cond*.safetensors")
def test_groups_match_the_original(parity):
    tokens, frames = parity.inputs["audio_tokens"], parity.inputs["frame_idx"]
    options = {"grid": grid_of(parity), "num_frames": parity.config["params"]["video_length"], "alignment": "official"}
    split = split_audio(tokens, options["num_frames"], options["grid"])
    selected = frame_audio_tokens(tokens, frames, stage="keyframe", **options)
    expanded = frame_audio_tokens(tokens, stage="interp", **options)
    torch.testing.assert_close(split, parity.outputs["split"], rtol=0, atol=0)
    torch.testing.assert_close(selected, parity.outputs["stage1_selected"], rtol=0, atol=0)
    torch.testing.assert_close(expanded, parity.outputs["stage2_expanded"], rtol=0, atol=1e-5)
    projected = F.linear(selected, parity.state["audio_proj_2.weight"], parity.state["audio_proj_2.bias"])
    normalised = F.normalize(projected, dim=-1).flatten(0, 1)
    torch.testing.assert_close(normalised, parity.outputs["unet_audio_tokens"], rtol=0, atol=1e-5)
