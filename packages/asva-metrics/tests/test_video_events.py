"""Video events: a square that stops, turns and jumps; any resolution; a still camera's noise; errors at the door."""

import cv2
import numpy as np
import pytest

from asva_metrics import local_changes, motion_change, video_events

FPS = 24.0


def square(places, size=128, noise=0.0, seed=0):
    """A textured square whose left edge (in parts of the picture) is at `places` on a textured ground."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(60, 200, (16, 16)).astype(np.uint8), (size, size), interpolation=cv2.INTER_CUBIC)
    patch = cv2.resize(rng.integers(0, 255, (6, 6)).astype(np.uint8), (size // 3, size // 3))
    frames = []
    for place in places:
        move = np.float32([[1, 0, place * size], [0, 1, size / 3]])
        options = {"flags": cv2.INTER_LINEAR}
        cover = cv2.warpAffine(np.ones_like(patch, np.float32), move, (size, size), **options)
        moved = cv2.warpAffine(patch.astype(np.float32), move, (size, size), **options)
        frames.append(ground * (1 - cover) + moved)
    frames = np.stack(frames) + noise * rng.standard_normal((len(places), size, size))
    return np.repeat(np.clip(frames, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def strokes(num_frames=48, stops=(12, 30)):
    """Slides from rest within three frames and stops dead at each of `stops`, back and forth."""
    places, at = np.full(num_frames, 0.1), 0.1
    for stop in stops:
        goal = 0.5 if at < 0.3 else 0.1
        places[stop - 3 : stop + 1] = np.linspace(at, goal, 4)
        places[stop:] = at = goal
    return places


@pytest.mark.parametrize("size", [64, 128, 240])
def test_abrupt_stops_are_seen_at_any_resolution(size):
    found = video_events(motion_change(square(strokes(), size)), FPS)
    assert len(found) == 2
    np.testing.assert_allclose(found, [12 / FPS, 30 / FPS], atol=3.5 / FPS)  # between the start and the stop


def test_a_bounce_is_seen_where_speed_is_even():
    places = 0.1 + 0.4 * np.abs((np.arange(48) - 23) / 24)
    curve = motion_change(square(places))
    assert abs(curve.argmax() - 23) <= 1
    np.testing.assert_allclose(video_events(curve, FPS), [23 / FPS], atol=1 / FPS)


def test_a_still_picture_and_a_still_cameras_noise_have_no_events():
    still = square(np.full(24, 0.3))
    assert not motion_change(still).any() and video_events(motion_change(still), FPS).size == 0
    noise = 1.0 if int(cv2.__version__[0]) > 4 else 0.8
    for seed in range(3):
        assert video_events(motion_change(square(np.full(24, 0.3), noise=noise, seed=seed)), FPS).size == 0


def test_the_curve_may_be_any():
    curve = np.zeros(48)
    curve[[5, 6, 20, 21, 22]] = [1.0, 2.0, 2.0, 4.0, 2.0]
    np.testing.assert_allclose(video_events(curve, FPS), [6 / FPS, 21 / FPS], atol=0.5 / FPS)
    assert video_events(curve, FPS, floor=5.0).size == 0
    assert video_events(curve, FPS, prominence=0.9).size == 1
    assert video_events(np.ones(48), FPS).size == 0 and video_events([1.0, 2.0], FPS).size == 0


def test_cells_tell_where_it_changes():
    changes = local_changes(square(strokes()))
    assert changes.shape == (47, 144) and changes.dtype == np.float32 and 0 <= changes.min() and changes.max() <= 1
    moving = changes[9].reshape(12, 12)
    assert moving[4:8, 1:9].mean() > 20 * moving[:2].mean() and not changes[20].any()
    assert local_changes(square(strokes(), 64), cells=3).shape == (47, 9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: motion_change(np.zeros((4, 8, 8, 3))), "`frames` must be uint8"),
        (lambda: motion_change(np.zeros((1, 8, 8, 3), np.uint8)), "t of at least 2"),
        (lambda: local_changes(np.zeros((4, 8, 8), np.uint8)), "`frames` must be uint8"),
        (lambda: local_changes(np.zeros((4, 8, 8, 3), np.uint8), cells=0), "`cells` must be at least 1"),
        (lambda: video_events([0.0, np.nan, 0.0], FPS), "`curve` must be finite"),
        (lambda: video_events(np.zeros((3, 3)), FPS), "`curve` must be finite"),
        (lambda: video_events(np.zeros(9), 0.0), "`fps` must be positive"),
        (lambda: video_events(np.zeros(9), FPS, prominence=-1), "`prominence` must lie"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
