"""The three-track world: each track steers its own thing, and the detectors read it off the pixels."""

import json

import numpy as np
import pytest

from asva_data import TrackWorld, read_tracks
from asva_data.synthetic.tracks import TRACKS

FRAME = 1 / 24


@pytest.fixture(scope="module")
def world():
    return TrackWorld(3, absent=0.0)


@pytest.fixture(scope="module")
def clips(world):
    return [world[index] for index in range(8)]


def changed(first, second):
    """How far mouth, mallet and light of two clips differ."""
    one, two = (read_tracks(clip.frames, first.scene) for clip in (first, second))
    return [np.abs(getattr(one, name) - getattr(two, name)).mean() for name in ("opening", "strike", "light")]


def test_a_clip_has_its_shapes_and_sums_to_its_stems(clips):
    for clip in clips:
        assert clip.frames.shape == (49, 64, 64, 3) and clip.frames.dtype == np.uint8
        assert clip.moving.shape == (49, 64, 64) and clip.moving.dtype == bool
        assert clip.opening.shape == (49,) and clip.light.shape == (49, 3)
        assert set(clip.stems) == set(TRACKS) and all(stem.shape == (1, 32667) for stem in clip.stems.values())
        assert all(stem.dtype == np.float32 for stem in clip.stems.values())
        np.testing.assert_allclose(clip.waveform, sum(clip.stems.values()), atol=1e-7)
        assert np.abs(clip.waveform).max() <= 1.0
        assert clip.caption.startswith("One person conversation. Persons: Person1: ")
        assert json.loads(json.dumps(clip.scene)) == clip.scene


def test_a_clip_depends_on_seed_and_index_alone(world, clips):
    again = TrackWorld(3, absent=0.0)[5]
    assert (again.frames == clips[5].frames).all() and (again.waveform == clips[5].waveform).all()
    assert world.caption_of(5) == clips[5].caption
    assert (TrackWorld(4, absent=0.0)[5].frames != clips[5].frames).any()


def test_the_first_frame_shows_nothing_of_the_sound(world, clips):
    for index, clip in enumerate(clips):
        other = world.compose(index, speech=20, effects=21, music=22)
        assert (clip.frames[0] == other.frames[0]).all()


def test_detectors_read_true_renders(clips):
    for clip in clips:
        reading = read_tracks(clip.frames, json.loads(json.dumps(clip.scene)))
        assert np.abs(reading.opening - clip.opening).mean() < 0.03
        assert np.abs(reading.light - clip.light).mean() < 0.01
        assert len(reading.strike_times) == len(clip.strike_times)
        assert np.abs(reading.strike_times - clip.strike_times).max() < FRAME / 2


def test_each_track_steers_its_own_thing_and_leaves_the_others(world, clips):
    for column, name in enumerate(TRACKS):
        for index in range(4):
            values = changed(clips[index], world.compose(index, **{name: 40 + index}))
            assert values[column] > 0.02
            assert max(value for place, value in enumerate(values) if place != column) < 0.015


def test_speech_is_loud_where_the_mouth_is_open(clips):
    for clip in clips:
        power = np.array([np.mean(part**2) for part in np.array_split(clip.stems["speech"][0], 49)])
        assert power[clip.opening > 0.3].mean() > 20 * power[clip.opening == 0].mean()


def test_effects_start_at_the_strikes(clips):
    for clip in clips:
        sound = clip.stems["effects"][0]
        for time in clip.strike_times:
            middle = round(time * 16000)
            assert np.mean(sound[middle : middle + 320] ** 2) > 1.5 * np.mean(sound[middle - 320 : middle] ** 2)


def test_major_is_warm_and_minor_is_cool(clips):
    assert {clip.mode for clip in clips} == {"major", "minor"}
    for clip in clips:
        red, _, blue = clip.light[-1]
        assert (red > blue) == (clip.mode == "major")
        assert (clip.light[0] == 1.0).all()


def test_major_lies_above_minor(clips):
    """So far that a short spectrum tells them apart, which hardly shows the third."""
    for clip in clips:
        power = np.abs(np.fft.rfft(clip.stems["music"][0])) ** 2
        hertz = np.fft.rfftfreq(clip.stems["music"].shape[1], 1 / 16000)
        assert (power[hertz < 218].sum() > 0.05 * power.sum()) == (clip.mode == "minor")


def test_an_absent_track_is_zeros_and_moves_nothing():
    world = TrackWorld(0, absent=0.6)
    seen = set()
    for index in range(12):
        clip, heard = world[index], world.tracks_of(index)
        seen |= set(TRACKS) - set(heard)
        assert heard and all((np.abs(clip.stems[name]).max() > 0) == (name in heard) for name in TRACKS)
        assert ("speech" in heard) == (clip.opening.max() > 0) and ("effects" in heard) == (len(clip.strike_times) > 0)
        assert ("music" in heard) == (clip.mode != "") and ("music" in heard or (clip.light == 1).all())
        assert clip.caption.startswith("One" if "speech" in heard else "No conversation. ")
    assert seen == set(TRACKS)


def test_levels_are_random(clips):
    peaks = np.array([[np.abs(clip.stems[name]).max() for name in TRACKS] for clip in clips])
    assert (peaks.max(axis=0) / peaks.min(axis=0) > 1.5).all()


def test_moving_leaves_the_light_out(world):
    clip = world[0]
    assert 0 < clip.moving.mean() < 0.2 and not clip.moving[0].any()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"seed": -1}, "`seed`"),
        ({"size": 16}, "`size`"),
        ({"fps": 0}, "`num_frames` / `fps`"),
        ({"num_frames": 5}, "`num_frames` / `fps`"),
        ({"absent": 1.0}, "`absent`"),
        ({"sample_rate": 4000}, "`sample_rate`"),
    ],
)
def test_bad_settings(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        TrackWorld(**settings)


def test_bad_frames(clips):
    with pytest.raises(ValueError, match="`frames` must be uint8"):
        read_tracks(clips[0].frames.astype(float), clips[0].scene)
    with pytest.raises(ValueError, match="`fps` must be positive"):
        read_tracks(clips[0].frames, clips[0].scene, fps=0)
    with pytest.raises(IndexError, match="must not be negative"):
        TrackWorld()[-1]
