"""Clips of files: start times, picked frames, sound, and files that are too short or silent."""

from pathlib import Path

import numpy as np
import pytest

from asva_data import MediaError, write_video
from asva_eval import cut_clip, load_protocol
from asva_eval.cutting import starts_of


@pytest.fixture(scope="module")
def counting(tmp_path_factory) -> Path:
    """Folder of videos whose grey says the frame's number: 2 s at 6 fps, 5 s at 12 fps, 1 s, and one without sound."""
    folder = tmp_path_factory.mktemp("counting")
    tone = np.sin(np.arange(5 * 44100) / 30).astype(np.float32) / 2
    for name, count, fps, sound in (("six", 12, 6, 2), ("long", 60, 12, 5), ("short", 6, 6, 1), ("mute", 12, 6, 0)):
        frames = np.broadcast_to((4 * np.arange(count, dtype=np.uint8))[:, None, None, None], (count, 32, 32, 3))
        waveform = np.stack((tone, -tone))[:, : sound * 44100] if sound else None
        write_video(
            folder / f"{name}.mp4", frames, fps=fps, waveform=waveform, sample_rate=44100 if sound else None, crf=0
        )
    return folder


def numbers(frames):
    return np.round(frames.mean(axis=(1, 2, 3)) / 4).astype(int).tolist()


def test_official_and_nearest_frames(counting):
    official, fixed = (cut_clip(counting / "six.mp4", 0.0, load_protocol(name)) for name in ("asva", "asva-fixed"))
    assert numbers(official.frames) == [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11]
    assert numbers(fixed.frames) == list(range(12))
    assert numbers(fixed.moving) == list(range(12)) and fixed.moving_fps == 6


def test_a_clip_in_the_middle_of_a_file(counting):
    protocol = load_protocol("asva-fixed")
    assert starts_of(counting / "long.mp4", protocol) == pytest.approx([0, 1.5, 3], abs=0.01)
    cut = cut_clip(counting / "long.mp4", 1.5, protocol)
    assert numbers(cut.moving) == list(range(18, 42))
    assert numbers(cut.frames) == list(range(18, 42, 2))
    assert abs(cut.waveform).max() < 1e-3  # the channels are each other's negative
    assert len(cut.waveform) == 2 * 44100 and cut.network_waveform.shape == (1, 32000)


def test_the_official_sound_is_the_scrambled_one(counting):
    cut = cut_clip(counting / "long.mp4", 1.5, load_protocol("asva"))
    assert len(cut.network_waveform) == 2
    assert abs(cut.network_waveform[0]).max() > 0.05  # where the mean of both is silent


def test_short_files_are_left_out_or_repeated(counting):
    with pytest.raises(MediaError, match="must last 2 s, got 1"):
        starts_of(counting / "short.mp4", load_protocol("asva-fixed"))
    official = load_protocol("asva")
    (start,) = starts_of(counting / "short.mp4", official)
    assert start < 0
    assert numbers(cut_clip(counting / "short.mp4", start, official).frames)[-4:] == [5, 5, 5, 5]


def test_a_soundless_file_has_no_sound(counting):
    cut = cut_clip(counting / "mute.mp4", 0.0, load_protocol("asva-fixed"))
    assert cut.waveform is None and cut.network_waveform is None


def test_a_start_after_the_end_is_refused(counting):
    with pytest.raises(MediaError, match=r"six\.mp4"):
        cut_clip(counting / "six.mp4", 9.0, load_protocol("asva-fixed"))
