"""The detector finds the events of true renderings, also blurred, noisy or compressed, and invents none."""

import json

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from asva_data import SyntheticWorld, detect_events, read_video, write_video
from asva_data.synthetic.catalogue import CLASSES

FRAME = 1 / 24


def count(detection, clip, tolerance=FRAME):
    """True, false and missed events, each true one used once and with the right label."""
    left = list(zip(detection.times, detection.labels, strict=True))
    hits = 0
    for time, label in zip(clip.event_times, clip.event_labels, strict=True):
        near = [event for event in left if event[1] == label and abs(event[0] - time) <= tolerance + 1e-9]
        if near:
            left.remove(min(near, key=lambda event, time=time: abs(event[0] - time)))
            hits += 1
    return np.array([hits, len(left), len(clip.event_times) - hits])


def degraded(frames, seed):
    noise = np.random.default_rng(seed).normal(0.0, 8.0, frames.shape)
    return np.clip(uniform_filter(frames.astype(np.float32), (0, 3, 3, 0)) + noise, 0, 255).astype(np.uint8)


def compressed(frames, folder):
    path = write_video(folder / "clip.mp4", frames, fps=24, crf=23)
    return read_video(path).frames


def score(clips, change=lambda frames, index: frames):
    total, moved = np.zeros(3), 0
    for index, clip in enumerate(clips):
        detection = detect_events(change(clip.frames, index), clip.scene)
        total += count(detection, clip)
        moved += detection.object_index == (clip.moving_object if len(clip.event_times) else None)
    hits, false, missed = total
    return hits / (hits + missed), false / (hits + false), moved / len(clips)


@pytest.fixture(scope="module")
def clips():
    return list(map(SyntheticWorld(41, two_objects=0.3).__getitem__, range(40)))


def test_true_renderings(clips):
    recall, false, moved = score(clips)
    assert recall >= 0.98 and false <= 0.02 and moved >= 0.98


def test_blur_and_noise(clips):
    recall, false, moved = score(clips[:20], degraded)
    assert recall >= 0.95 and false <= 0.05 and moved >= 0.95


def test_compression(clips, tmp_path):
    recall, false, moved = score(clips[:12], lambda frames, index: compressed(frames, tmp_path))
    assert recall >= 0.95 and false <= 0.05 and moved >= 0.95


def test_still_pictures_have_no_events(clips):
    for clip in clips[:12]:
        detection = detect_events(np.repeat(clip.frames[:1], 48, axis=0), clip.scene)
        assert detection.times.size == 0 and detection.labels == () and detection.object_index is None


def test_sides_of_the_drums_are_read_off_the_picture():
    world = SyntheticWorld(2, classes="drums", two_objects=0.0)
    clip = next(clip for clip in map(world.__getitem__, range(9)) if len(set(clip.event_labels)) == 2)
    assert detect_events(clip.frames, clip.scene).labels == clip.event_labels


def test_times_shift_with_the_frames(clips):
    clip = next(clip for clip in clips if clip.class_name == "hammer")
    late = np.concatenate([np.repeat(clip.frames[:1], 5, axis=0), clip.frames])
    np.testing.assert_allclose(
        detect_events(late, clip.scene).times, detect_events(clip.frames, clip.scene).times + 5 * FRAME, atol=1e-9
    )


def test_scene_read_back_from_json_is_as_good(clips):
    clip = clips[0]
    scene = json.loads(json.dumps(clip.scene))
    np.testing.assert_array_equal(detect_events(clip.frames, scene).times, detect_events(clip.frames, clip.scene).times)


def test_all_objects_are_reported():
    clip = SyntheticWorld(0, classes=["bell", "frog"], two_objects=1.0)[0]
    detection = detect_events(clip.frames, clip.scene)
    other = detection.objects[1 - clip.moving_object]
    assert len(detection.objects) == 2 and other.times.size == 0
    assert detection.objects[clip.moving_object].pose.shape == (48, 1)
    assert detection.objects[clip.moving_object].change > 10 * other.change


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        (np.zeros((4, 64, 32, 3), np.uint8), 24, "`frames` must be uint8"),
        (np.zeros((4, 64, 64, 3), np.float32), 24, "`frames` must be uint8"),
        (np.zeros((4, 64, 64), np.uint8), 24, "`frames` must be uint8"),
        (np.zeros((4, 64, 64, 3), np.uint8), 0, "`fps` must be positive"),
    ],
)
def test_bad_arguments_are_named(frames, fps, message):
    with pytest.raises(ValueError, match=message):
        detect_events(frames, SyntheticWorld(0, size=32)[0].scene, fps=fps)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CLASSES if name != "cloud"])
def test_every_class_on_many_clips(name, tmp_path):
    others = [word for word in CLASSES if word != name]
    pairs = SyntheticWorld(1_000_000, classes=[name, *others], two_objects=1.0)
    clips = list(map(SyntheticWorld(1_000_001, classes=name).__getitem__, range(30)))
    clips += [clip for clip in map(pairs.__getitem__, range(120)) if clip.class_name == name]
    recall, false, moved = score(clips)
    assert recall >= 0.98 and false <= 0.02 and moved >= 0.98
    for change in (degraded, lambda frames, index: compressed(frames, tmp_path)):
        recall, false, moved = score(clips, change)
        assert recall >= 0.95 and false <= 0.05 and moved >= 0.95
