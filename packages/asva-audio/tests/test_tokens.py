"""Grouping of audio tokens by frame: the original's two slips, and the alignment that the paper describes."""

import pytest
import torch
import torch.nn.functional as F

from asva_audio import frame_audio_tokens, split_audio

GRID = (12, 48)


def labelled(grid=GRID, batch=1, class_token=True) -> torch.Tensor:
    """Tokens that say what they are: (band, column), the class token (-1, -1)."""
    band, column = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    tokens = torch.stack((band, column), dim=-1).flatten(0, 1).float()
    tokens = torch.cat((torch.full((int(class_token), 2), -1.0), tokens))
    return tokens.expand(batch, -1, -1)


@pytest.mark.parity("keyvid/d*_audio_cond*.safetensors")
def test_groups_match_the_original(parity):
    params, tokens, frames = parity.config["params"], parity.inputs["audio_tokens"], parity.inputs["frame_idx"]
    grid, num_frames = (params["freq_patches"], params["time_patches"]), params["video_length"]
    options = {"grid": grid, "num_frames": num_frames, "alignment": "official"}
    split = split_audio(tokens, num_frames, grid)
    selected = frame_audio_tokens(tokens, frames, stage="keyframe", **options)
    expanded = frame_audio_tokens(tokens, stage="interp", **options)
    torch.testing.assert_close(split, parity.outputs["split"], rtol=0, atol=0)
    torch.testing.assert_close(selected, parity.outputs["stage1_selected"], rtol=0, atol=0)
    torch.testing.assert_close(expanded, parity.outputs["stage2_expanded"], rtol=0, atol=1e-5)
    projected = F.linear(selected, parity.state["audio_proj_2.weight"], parity.state["audio_proj_2.bias"])
    normalised = F.normalize(projected, dim=-1).flatten(0, 1)
    torch.testing.assert_close(normalised, parity.outputs["unet_audio_tokens"], rtol=0, atol=1e-5)


def test_aligned_frames_hear_their_own_column():
    frames = torch.tensor([[0, 7, 47]])
    for stage in ("keyframe", "interp"):
        groups = frame_audio_tokens(labelled(), frames, grid=GRID, stage=stage)
        assert groups.shape == (1, 3, 13, 2)
        assert (groups[:, :, 0] == -1).all()
        torch.testing.assert_close(groups[0, :, 1:, 1], frames[0, :, None].expand(3, 12).float())
        torch.testing.assert_close(groups[0, :, 1:, 0], torch.arange(12.0).expand(3, 12))


def test_the_official_slip_is_the_one_described():
    groups = frame_audio_tokens(labelled(), grid=GRID, alignment="official")[0]
    flat = split_audio(labelled(), 48, GRID).flatten(1, 2)[0]
    assert groups.shape == (48, 12, 2)
    for i in (0, 1, 12, 47):
        torch.testing.assert_close(groups[i], flat[12 * i : 12 * i + 12])
    heard = groups[47, :, 1]
    assert 47 - heard[heard >= 0].mean() == pytest.approx(3.67, abs=0.1)


def test_the_official_interpolator_hears_52_groups_resized():
    tokens = torch.arange(577.0)[None, :, None]
    flat = split_audio(tokens, 48, GRID).flatten(1, 2)[0, :, 0].view(52, 12)
    expected = F.interpolate(flat.T[None], size=48, mode="linear", align_corners=False)[0].T
    groups = frame_audio_tokens(tokens, grid=GRID, alignment="official", stage="interp")
    torch.testing.assert_close(groups[0, :, :, 0], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("alignment", ["aligned", "official"])
@pytest.mark.parametrize("stage", ["keyframe", "interp"])
def test_chosen_frames_are_those_of_all_frames(generator, alignment, stage):
    tokens = torch.randn(2, 577, 4, generator=generator)
    frames = torch.tensor([[0, 5, 5, 47], [1, 2, 30, 31]])
    options = {"grid": GRID, "alignment": alignment, "stage": stage}
    every, chosen = frame_audio_tokens(tokens, **options), frame_audio_tokens(tokens, frames, **options)
    for b in range(2):
        torch.testing.assert_close(chosen[b], every[b, frames[b]], rtol=0, atol=0)


@pytest.mark.parametrize(("segments", "chunk"), [(4, 12), (12, 4), (16, 3), (48, 1), (60, 1)])
def test_segments_cover_the_time_evenly(segments, chunk):
    for class_token in (True, False):
        split = split_audio(labelled(class_token=class_token), segments, GRID)
        assert split.shape == (1, segments, int(class_token) + 12 * chunk, 2)
        columns = split[0, :, int(class_token) :, 1]
        assert columns[0].min() == 0 and columns[-1].max() == 47


def test_wrong_arguments_are_named():
    tokens = labelled(batch=2)
    with pytest.raises(ValueError, match=r"n = 576 or one more for the grid \(12, 48\), got \(2, 500, 2\)"):
        split_audio(tokens[:, :500], 48, GRID)
    with pytest.raises(ValueError, match="`num_segments` must be at least 1, got 0"):
        split_audio(tokens, 0, GRID)
    with pytest.raises(ValueError, match=r"`frame_indices` must lie in \[0, 47\], got 3 to 48"):
        frame_audio_tokens(tokens, torch.tensor([[3, 48], [4, 5]]), grid=GRID)
    with pytest.raises(ValueError, match=r"`frame_indices` must have shape \(2, k\), got \(1, 1\)"):
        frame_audio_tokens(tokens, torch.tensor([[3]]), grid=GRID)
    with pytest.raises(ValueError, match="`alignment` must be"):
        frame_audio_tokens(tokens, grid=GRID, alignment="paper")
    with pytest.raises(ValueError, match="`stage` must be"):
        frame_audio_tokens(tokens, grid=GRID, stage="both")
