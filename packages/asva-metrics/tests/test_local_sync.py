"""Local sync: one blinking corner in time with knocks; shifts, noise, rates; what is undefined; errors at the door."""

import numpy as np
import pytest

from asva_metrics import ClipMean, local_sync

MOMENTS = np.array([0.35, 0.9, 1.3, 2.1, 2.65])


def blinking(fps=24.0, seconds=3.0, late=0.0, size=64, seed=0):
    """A corner that changes its shade at each moment, in a picture whose other parts flicker at random."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps)) / fps
    frames = rng.integers(0, 12, (len(times), size, size, 3)).astype(np.uint8) + 60
    shade = 80 + 60 * ((times[:, None] >= (MOMENTS + late) % seconds).sum(axis=1) % 2)
    frames[:, : size // 4, : size // 4] += shade[:, None, None, None].astype(np.uint8)
    return frames


def knocks(rate=16000, seconds=3.0, seed=1):
    rng = np.random.default_rng(seed)
    sound = 1e-3 * rng.standard_normal(round(seconds * rate))
    for moment in MOMENTS:
        start = round(moment * rate)
        sound[start : start + rate // 20] += 0.3 * rng.standard_normal(rate // 20)
    return sound


@pytest.mark.parametrize(("fps", "rate"), [(24.0, 16000), (30.0, 44100), (12.0, 16000)])
def test_true_sound_stands_out(fps, rate):
    frames, sound = blinking(fps), knocks(rate)
    true = local_sync(sound, rate, frames, fps)
    assert (
        true.excess > 3
        and abs(true.offset) <= 1.1 / fps
        and true.shifts[true.scores.argmax()] == pytest.approx(0, abs=1.1 / fps)
    )
    for shift in (0.2, 0.5, -1.0):
        wrong = local_sync(np.roll(sound, round(shift * rate)), rate, frames, fps)
        assert wrong.excess < true.excess - 2 and wrong.offset == pytest.approx(-shift, abs=1.1 / fps)


def test_late_pictures_are_told():
    assert local_sync(knocks(), 16000, blinking(late=0.25), 24.0).offset == pytest.approx(0.25, abs=1.1 / 24)


def test_resolution_hardly_matters():
    small, large = (local_sync(knocks(), 16000, blinking(size=s), 24.0).excess for s in (64, 192))
    assert small == pytest.approx(large, rel=0.2)


def test_a_mean_over_clips():
    mean = ClipMean(lambda *clip: local_sync(*clip).excess)
    mean.update(knocks(), 16000, blinking(), 24.0)
    mean.update(np.zeros(48000), 16000, blinking(), 24.0)
    assert float(mean.compute()) > 3 and mean.num_undefined == 1


def test_silence_and_stillness_are_undefined():
    still = np.repeat(blinking()[:1], 72, axis=0)
    for frames, sound in ((blinking(), np.zeros(48000)), (still, knocks())):
        profile = local_sync(sound, 16000, frames, 24.0)
        assert np.isnan([profile.excess, profile.offset]).all() and profile.reason


def test_the_flicker_of_a_frozen_videos_codec_is_no_motion():
    still = np.repeat(blinking()[:1], 72, axis=0)
    starts = np.round(MOMENTS * 24).astype(int)
    still[starts, :16, :16] += 3  # in time with the knocks, and yet nobody sees it
    profile = local_sync(knocks(), 16000, still, 24.0)
    assert np.isnan([profile.excess, profile.offset]).all() and profile.reason
    still[starts, :16, :16] += 5
    assert local_sync(knocks(), 16000, still, 24.0).excess > 2


def test_bad_input():
    with pytest.raises(ValueError, match="must share at least 1 s, got"):
        local_sync(knocks(), 16000, blinking()[:12], 24.0)
    with pytest.raises(ValueError, match="`fps` must be positive"):
        local_sync(knocks(), 16000, blinking(), 0.0)
    with pytest.raises(ValueError, match="`frames` must be uint8"):
        local_sync(knocks(), 16000, blinking() / 255, 24.0)
    with pytest.raises(ValueError, match="`waveform` must be finite"):
        local_sync(np.full(48000, np.nan), 16000, blinking(), 24.0)
