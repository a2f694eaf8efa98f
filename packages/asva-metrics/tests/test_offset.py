"""Offsets: planted ones are found, shared ones by many clips, and nothing is claimed where nothing is known."""

import numpy as np
import pytest

from asva_metrics import offset_evidence, read_offset
from asva_metrics.offset import NEAR, REACH, SHIFTS, clip_likelihoods


def scene(seconds=3.0, late=0.0, fps=24, rate=16000, still=False):
    """A square that jumps, and a knock at each jump, ``late`` seconds after it."""
    generator = np.random.default_rng(3)
    times = np.cumsum(generator.uniform(0.25, 0.6, 20))
    times = times[times < seconds - 0.5]
    frames, waveform = np.full((round(seconds * fps), 64, 64, 3), 60, np.uint8), np.zeros(round(seconds * rate))
    for place, frame in enumerate(frames):
        column = 8 + 20 * (0 if still else np.sum(times <= place / fps) % 3)
        frame[24:40, column : column + 12] = 220
    knock = generator.normal(size=600) * np.exp(-np.arange(600) / 100)
    for time in times:
        start = round((time + late) * rate)
        waveform[max(0, start) : max(0, start) + 600] += (
            0.5 * knock[: len(waveform[max(0, start) : max(0, start) + 600])]
        )
    return waveform.astype(np.float32), rate, frames, fps


@pytest.mark.parametrize("late", [-0.2, 0.0, 0.36])
def test_a_planted_offset_is_read(late):
    reading = read_offset([offset_evidence(*scene(late=late))])
    assert not reading.reason and abs(reading.offset + late) <= NEAR
    assert reading.low - 0.02 <= -late <= reading.high + 0.02 and reading.probability > 5 * reading.chance


def test_nothing_is_claimed_without_motion_or_of_a_rhythm():
    reading = read_offset([offset_evidence(*scene(still=True))])
    assert reading.num_clips == 0 and "nothing moves" in reading.reason and np.isnan(reading.offset)
    rhythm = np.stack([np.zeros(len(SHIFTS)), np.cos(2 * np.pi * SHIFTS / 0.3)])
    assert "several shifts" in read_offset([rhythm]).reason


def test_many_clips_say_more_than_one_and_strays_do_not_count():
    generator, peak = np.random.default_rng(0), np.exp(-(((SHIFTS + 0.2) / 0.04) ** 2))
    clips = [np.stack([0 * peak, 0.3 * peak + 0.15 * generator.normal(size=len(peak))]) for _ in range(12)]
    strays = [np.stack([0 * peak, 9.0 * (np.abs(SHIFTS - 0.4) < 0.01)]) for _ in range(2)]
    together = read_offset(clips + strays)
    assert not together.reason and together.offset == pytest.approx(-0.2, abs=0.02) and together.num_clips == 14
    assert read_offset(strays[:1]).offset == pytest.approx(0.4, abs=0.02)
    assert np.exp(clip_likelihoods(clips[0])).sum() == pytest.approx(1)


def test_clips_must_be_longer_than_the_search():
    with pytest.raises(ValueError, match=f"must last {2 * REACH:g} s"):
        offset_evidence(*scene(seconds=1.1))
