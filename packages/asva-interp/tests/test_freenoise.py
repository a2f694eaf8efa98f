"""Windows, their fusion and shuffled noise."""

import pytest
import torch

from asva_interp import fuse_windows, shuffle_noise, window_views, window_weights, windowed


def test_released_windows():
    assert window_views(48) == [(0, 12), (6, 18), (12, 24), (18, 30), (24, 36), (30, 42), (36, 48)]


@pytest.mark.parametrize("num_frames", [1, 5, 12, 13, 17, 18, 47, 48, 100])
@pytest.mark.parametrize(("size", "stride"), [(12, 6), (12, 12), (7, 3), (1, 1)])
def test_windows_cover_every_frame_once_at_least(num_frames, size, stride):
    views = window_views(num_frames, size, stride)
    covered = {frame for start, end in views for frame in range(start, end)}
    assert covered == set(range(num_frames))
    assert len({end - start for start, end in views}) == 1
    assert len(set(views)) == len(views)


def test_weights_rise_to_the_middle():
    assert window_weights(12).tolist() == [1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1]
    assert window_weights(3).tolist() == [1, 2, 1]


def test_fusing_the_pieces_of_a_video_gives_the_video():
    video = torch.randn(2, 26, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    views = window_views(26)
    fused = fuse_windows([video[:, start:end] for start, end in views], views, 26)
    torch.testing.assert_close(fused, video, rtol=0, atol=1e-6)


def test_fusion_by_hand():
    # windows 0-3 and 2-5 of size 4 overlap in frames 2 and 3: weights there are (2, 1) and (1, 2)
    fused = fuse_windows([torch.zeros(1, 4, 1), torch.ones(1, 4, 1)], [(0, 4), (2, 6)], 6)
    torch.testing.assert_close(fused.flatten(), torch.tensor([0, 0, 1 / 3, 2 / 3, 1, 1]), rtol=0, atol=1e-6)


def test_windowed_call_hands_each_window_its_place():
    seen = []

    def predict(sample, timestep, branches, view):
        seen.append((sample.shape[1], branches, view))
        return sample * 2

    sample = torch.randn(1, 18, 2, generator=torch.Generator().manual_seed(0))
    result = windowed(predict, window_views(18))(sample, torch.tensor([3]), ("full",))
    torch.testing.assert_close(result, sample * 2, rtol=0, atol=1e-6)
    assert seen == [(12, ("full",), (0, 12)), (12, ("full",), (6, 18))]


def test_shuffled_noise_holds_only_the_first_window():
    noise = torch.arange(50.0).view(1, 50, 1).clone()
    shuffled = shuffle_noise(noise, generator=torch.Generator().manual_seed(3)).flatten()
    assert shuffled[:12].tolist() == list(range(12))
    for start in range(12, 48, 6):
        assert sorted(shuffled[start : start + 6].tolist()) == sorted(shuffled[start - 12 : start - 6].tolist())
    assert set(shuffled.tolist()) == set(range(12))
    assert noise.flatten().tolist() == list(range(50))


def test_shuffle_follows_its_generator():
    noise = torch.arange(48.0).view(1, 48, 1)
    draws = [shuffle_noise(noise, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_shuffle_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    shuffle_noise(torch.zeros(1, 48, 1))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: window_views(0), "must be at least 1"),
        (lambda: window_views(48, 6, 12), "`stride` must be at most"),
        (lambda: fuse_windows([torch.ones(1, 4, 1)], [(0, 4)], 6), "must cover all 6 frames"),
        (lambda: fuse_windows([torch.ones(1, 4, 1)], [(0, 4), (2, 6)], 6), "must be one per window"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
