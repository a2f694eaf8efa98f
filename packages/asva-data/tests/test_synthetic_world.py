"""Everything follows from seed and index, and picture, sound and truth agree."""

import json
import pickle
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import find_peaks

from asva_data import SyntheticWorld
from asva_data.synthetic.catalogue import CLASSES, EVENT_CLASSES, OBJECT_CLASSES, VOCABULARY
from asva_data.synthetic.render import render

STRUCK = [name for name in CLASSES if name != "cloud"]


@pytest.fixture(scope="module")
def clips():
    """Four clips of each class, one of them with two objects where the class allows it."""
    found = {}
    for name in CLASSES:
        found[name] = list(map(SyntheticWorld(3, classes=name).__getitem__, range(3)))
        pairs = SyntheticWorld(3, classes=[name, "ball" if name != "ball" else "bell"], two_objects=1.0)
        found[name].append(next(clip for clip in map(pairs.__getitem__, range(50)) if clip.class_name == name))
    return found


def onset_strength(clip, time, width=0.02):
    """Rise of the loudness at a time, in decibels."""
    rate, middle = clip.sample_rate, round(time * clip.sample_rate)
    span = round(width * rate)
    before, after = clip.waveform[0, middle - span : middle], clip.waveform[0, middle : middle + span]
    return 10 * np.log10(np.mean(after**2) / (np.mean(before**2) + 1e-12))


def test_there_are_the_classes_that_the_world_promises():
    assert len(EVENT_CLASSES) >= 8
    assert {"disc", "cloud"} == set(CLASSES) - set(EVENT_CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_clip_has_its_shapes(clips, name):
    for clip in clips[name]:
        assert clip.frames.shape == (48, 64, 64, 3) and clip.frames.dtype == np.uint8
        assert clip.mask.shape == (48, 64, 64) and clip.mask.dtype == bool
        assert clip.waveform.shape == (1, 32000) and clip.waveform.dtype == np.float32
        assert clip.motion_score.shape == (48,) and clip.motion_score.dtype == np.float32
        assert clip.motion_score[-1] == clip.motion_score[-2]
        assert np.abs(clip.waveform).max() <= 1.0 and np.isfinite(clip.waveform).all()
        assert len(clip.event_labels) == len(clip.event_times)
        assert set(clip.event_labels) <= set(OBJECT_CLASSES[name].labels)
        assert clip.class_name == clip.scene["objects"][clip.moving_object]["class"] == name


def test_clips_follow_from_seed_and_index_alone():
    world = SyntheticWorld(5)
    first = world[11]
    list(map(world.__getitem__, [3, 1]))
    again = pickle.loads(pickle.dumps(world))[11]
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert first.scene == again.scene
    assert not np.array_equal(first.waveform, SyntheticWorld(6)[11].waveform)
    assert not np.array_equal(first.waveform, world[12].waveform)


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    SyntheticWorld(0)[0]
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_event_times_keep_their_distances():
    counts = set()
    for clip in map(SyntheticWorld(8, classes=STRUCK).__getitem__, range(60)):
        counts.add(len(clip.event_times))
        assert clip.event_times[0] >= 0.12 and clip.event_times[-1] <= 1.9
        assert (np.diff(clip.event_times) >= 0.25).all()
    assert counts == {2, 3, 4, 5, 6}


def test_some_scenes_have_two_objects():
    clips = list(map(SyntheticWorld(1, size=32).__getitem__, range(120)))
    pairs = [clip for clip in clips if len(clip.scene["objects"]) == 2]
    assert 0.1 < len(pairs) / len(clips) < 0.3
    assert {clip.moving_object for clip in pairs} == {0, 1}
    for clip in pairs:
        left, right = clip.scene["objects"]
        assert left["class"] != right["class"] and left["center"][0] < right["center"][0]


def test_captions_use_the_vocabulary_and_do_not_tell_who_moves():
    for clip in map(SyntheticWorld(2, size=32).__getitem__, range(80)):
        assert set(clip.caption.split()) <= set(VOCABULARY)
        things = clip.scene["objects"]
        if len(things) == 2:
            nouns = [OBJECT_CLASSES[thing["class"]].noun.format(color=thing["color"]) for thing in things]
            assert clip.caption == " and ".join(nouns)
    assert len(VOCABULARY) < 64


def test_scene_is_json_and_says_nothing_of_what_comes(clips):
    for clip in clips["drums"]:
        assert json.loads(json.dumps(clip.scene)) == clip.scene
        assert set(clip.scene) == {"background", "objects"}
        assert all(set(t) == {"class", "color", "colors", "center", "size", "flip"} for t in clip.scene["objects"])


@pytest.mark.parametrize("name", CLASSES)
def test_first_frame_is_the_scene_at_rest(clips, name):
    for clip in clips[name]:
        for index, thing in enumerate(clip.scene["objects"]):
            rest = np.zeros((2, max(len(OBJECT_CLASSES[thing["class"]].labels), 1)))
            drawn = render(clip.scene, 64, index, rest).frames[0]
            differ = np.abs(drawn.astype(int) - clip.frames[0]).max(axis=-1) > 1
            assert differ.sum() <= 4  # where two outlines touch


@pytest.mark.parametrize("name", CLASSES)
def test_only_the_masked_parts_change(clips, name):
    for clip in clips[name]:
        touched = clip.mask.any(axis=0)
        grown = touched.copy()
        for axis in (0, 1):
            for step in (-2, -1, 1, 2):
                grown |= np.roll(touched, step, axis)
        since = np.arange(48)[:, None] / 24 - clip.event_times
        sparks = ((since >= 0) & (since < 0.06)).any(axis=1)
        changed = (clip.frames[~sparks] != clip.frames[:1]).any(axis=(0, 3))
        assert changed.any() and clip.mask.any(axis=(1, 2)).all()
        assert not (changed & ~grown).any()


@pytest.mark.parametrize("name", STRUCK)
def test_motion_is_large_and_peaks_at_the_events(clips, name):
    for clip in clips[name]:
        curve = clip.motion_score
        peaks, _ = find_peaks((curve - curve.min()) / np.ptp(curve), distance=5, prominence=0.1)
        for time in clip.event_times * 24:
            assert np.min(np.abs(peaks + 0.5 - time)) <= 1.0
        assert len(peaks) <= len(clip.event_times) + 1


def test_still_frames_have_no_motion(clips):
    for clip in clips["hammer"]:
        same = (clip.frames[1:] == clip.frames[:-1]).all(axis=(1, 2, 3))
        assert same.any() and clip.motion_score[:-1][same].max() < 1e-3
        assert clip.motion_score[:-1][~same].max() > 0.25


def test_the_ambient_class_moves_evenly(clips):
    for clip in map(SyntheticWorld(3, classes="cloud").__getitem__, range(3)):
        assert clip.event_times.size == 0
        assert np.ptp(clip.motion_score) < 0.5 * clip.motion_score.mean()


@pytest.mark.parametrize("name", EVENT_CLASSES)
def test_sound_starts_at_the_events(clips, name):
    for clip in clips[name]:
        rises = [onset_strength(clip, time) for time in clip.event_times]
        assert np.median(rises) > 3.0 and rises[0] > 6.0


def test_loudness_of_the_disc_follows_its_size(clips):
    for clip in clips["disc"]:
        size = clip.mask.sum(axis=(1, 2)).astype(float)
        edges = np.linspace(0, 32000, 49).astype(int)
        loudness = [np.std(clip.waveform[0, a:b]) for a, b in pairwise(edges)]
        assert np.corrcoef(size, loudness)[0, 1] > 0.8


def test_the_right_drum_is_much_higher():
    pitch = {"left": [], "right": []}
    for clip in map(SyntheticWorld(4, classes="drums", size=32).__getitem__, range(20)):
        for time, label in zip(clip.event_times, clip.event_labels, strict=True):
            start = round(time * 16000)
            spectrum = np.abs(np.fft.rfft(clip.waveform[0, start + 160 : start + 2560], 16000))
            pitch[label].append(spectrum.argmax())
    assert np.median(pitch["right"]) > 2.5 * np.median(pitch["left"])


@pytest.mark.parametrize(
    "options",
    [{"size": 32}, {"size": 97}, {"num_frames": 24, "fps": 12}, {"sample_rate": 44100}, {"num_frames": 12}],
)
def test_other_formats(options):
    world = SyntheticWorld(0, **options)
    for clip in map(world.__getitem__, range(4)):
        assert clip.frames.shape == (world.num_frames, world.size, world.size, 3)
        assert clip.waveform.shape == (1, round(world.duration * world.sample_rate))
        assert (clip.event_times < world.duration).all()


def test_clips_do_not_depend_on_the_size_of_the_picture():
    small, large = SyntheticWorld(0, size=32)[3], SyntheticWorld(0, size=64)[3]
    np.testing.assert_array_equal(small.waveform, large.waveform)
    assert small.scene == large.scene


def test_there_is_no_last_clip_but_a_first():
    assert SyntheticWorld(0, size=32)[10**9].frames.shape[0] == 48
    with pytest.raises(IndexError, match="must not be negative, got -1"):
        SyntheticWorld(0)[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "`seed` must be a whole number of at least 0, got -1"),
        ({"size": 16}, "`size` must be a whole number of at least 32, got 16"),
        ({"size": 64.5}, "`size` must be a whole number"),
        ({"fps": 0}, "at least 0.5 seconds"),
        ({"num_frames": 6}, "at least 0.5 seconds"),
        ({"sample_rate": 100}, "`sample_rate` must"),
        ({"classes": ["ball", "cow"]}, r"`classes` must be names out of ball, .*, got \['cow'\]"),
        ({"classes": []}, "`classes` must"),
        ({"two_objects": 1.5}, "`two_objects` must lie between 0 and 1"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticWorld(**{"seed": 0, **options})
