"""Which tokens a frame attends to: the edge rule in exact fractions, and windows that are empty."""

from fractions import Fraction

import pytest
import torch

from asva_audio import BEATsEncoder, ImageBindAudioEncoder, TimedTokens, frame_times, window_mask
from asva_audio.windows import patch_times

# Tokens of 50 ms, 120 per second: centres lie on the edges between windows for every fps that divides 240.
CENTRES = [Fraction(i, 120) for i in range(240)]


def timed(centres, dtype=torch.float64) -> torch.Tensor:
    middle = torch.tensor([float(centre) for centre in centres], dtype=torch.float64)
    return torch.stack((middle - 0.025, middle + 0.025), dim=1).to(dtype)


def grids() -> dict[str, torch.Tensor]:
    small = {"hidden_size": 8, "num_hidden_layers": 0, "num_attention_heads": 1}
    imagebind = [ImageBindAudioEncoder(**small, stride=stride) for stride in (10, (10, 4))]
    beats = BEATsEncoder(**small, embed_dim=4, intermediate_size=8, conv_pos=2, conv_pos_groups=1)
    both = [encoder.token_times(torch.zeros(1, 1, 128, 204)) for encoder in imagebind]
    return {"stride 10": both[0], "stride 4": both[1], "beats": beats.token_times(torch.zeros(1, 198, 128))}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("fps", [1, 5, 6, 7, 8, 12, 24, 25, 30, 60, 120])
def test_half_a_frame_covers_every_token_once(fps, dtype):
    mask = window_mask(timed(CENTRES, dtype), frame_times(2 * fps, fps).to(dtype), 0.5 / fps)
    assert mask.shape == (2 * fps, 240) and (mask.sum(0) == 1).all() and mask.any(1).all()
    # A token on the edge between two frames is heard by the later one.
    owner = [int(centre * fps) for centre in CENTRES]
    assert mask.int().argmax(0).tolist() == owner


@pytest.mark.parametrize("fps", [2, 5, 6])
@pytest.mark.parametrize("grid", ["stride 10", "stride 4", "beats"])
def test_the_encoders_tokens_are_covered_once(grid, fps):
    times = grids()[grid]
    assert (window_mask(times, frame_times(2 * fps, fps), 0.5 / fps).sum(0) == 1).all()


@pytest.mark.parametrize("radius", [Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(5, 2)])
def test_any_frames_against_exact_fractions(radius):
    fps, frames = 24, [47, 0, 3, 3, 17, 46]
    mask = window_mask(timed(CENTRES), frame_times(torch.tensor(frames), fps), float(radius) / fps)
    for row, frame in zip(mask, frames, strict=True):
        middle = Fraction(2 * frame + 1, 2 * fps)
        heard = [middle - radius / fps <= centre < middle + radius / fps for centre in CENTRES]
        assert row.tolist() == heard


def test_keyframes_get_the_rows_of_their_frames():
    times = grids()["stride 4"]
    every = window_mask(times, frame_times(24, 12), 1.5 / 12)
    keyframes = torch.tensor([[0, 5, 11, 23], [2, 3, 4, 5]])
    chosen = window_mask(times, frame_times(keyframes, 12), 1.5 / 12)
    assert torch.equal(chosen, every[keyframes]) and chosen.shape == (2, 4, len(times))


def test_wider_windows_hear_more():
    times = grids()["stride 10"]
    narrow, wide = (window_mask(times, frame_times(12, 6), r / 6) for r in (0.5, 1.5))
    assert (wide | narrow).equal(wide) and (wide.sum(0) >= 2).all()
    assert window_mask(times, frame_times(12, 6), 60.0).all()


@pytest.mark.parametrize(("fps", "radius"), [(12, 0.5), (24, 1.5), (48, 0.5)])
def test_a_window_without_a_token_is_an_error(fps, radius):
    times, frames = grids()["stride 10"], frame_times(2 * fps, fps)
    with pytest.raises(ValueError, match=r"`radius` must leave every frame a token, got .* take more than ") as caught:
        window_mask(times, frames, radius / fps)
    enough = float(str(caught.value).split("take more than ")[1].split(" s")[0])
    assert window_mask(times, frames, 1.01 * enough).any(-1).all()


def test_wrong_arguments_are_named():
    times, frames = timed(CENTRES), frame_times(12, 6)
    with pytest.raises(ValueError, match=r"`token_times` must have shape \(n, 2\), got \(240,\)"):
        window_mask(times[:, 0], frames, 0.1)
    with pytest.raises(ValueError, match=r"`frame_times` must have shape \(t,\) or \(b, t\), got \(1, 1, 12\)"):
        window_mask(times, frames[None, None], 0.1)
    for radius in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="`radius` must be a positive number of seconds"):
            window_mask(times, frames, radius)
    with pytest.raises(ValueError, match="must be finite, got NaN"):
        window_mask(times, frames * float("nan"), 0.1)
    with pytest.raises(ValueError, match="`token_times` must hold at least one token, got none"):
        window_mask(times[:0], frames, 0.1)
    for fps in (0, -6, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="`fps` must be a positive number"):
            frame_times(12, fps)
    with pytest.raises(ValueError, match="`frame_indices` must name at least one frame, got 0"):
        frame_times(0, 6)
    with pytest.raises(
        ValueError, match=r"`times` must have shape \(n, 2\) for tokens .* got \(240, 2\) for \(1, 3, 4\)"
    ):
        TimedTokens(torch.zeros(1, 3, 4), times)


def test_tokens_travel_with_exact_times():
    timed_tokens = TimedTokens(torch.zeros(1, 240, 4), timed(CENTRES)).to("cpu", torch.bfloat16)
    assert timed_tokens.tokens.dtype == torch.bfloat16 and timed_tokens.times.dtype == torch.float64
    assert torch.equal(
        timed_tokens.mask(frame_times(12, 6), 0.25), window_mask(timed(CENTRES), frame_times(12, 6), 0.25)
    )


def test_a_column_hears_from_its_first_sample_to_its_last():
    times = patch_times(3, size=16, stride=10)
    expected = torch.tensor([[0, 0.175], [0.1, 0.275], [0.2, 0.375]], dtype=torch.float64)
    torch.testing.assert_close(times, expected)
