"""The small sync classifier: shifts of its profile, bundled weights on a drawn knock, undefined clips, errors."""

import numpy as np
import pytest
import torch

from asva_metrics import SmallSyncClassifier, load_small_sync, small_sync_profile

TINY = {"size": 16, "video_widths": (8, 8, 8), "audio_widths": (8, 8, 8), "width": 8, "embed_dim": 8}
MOMENTS = np.array([0.45, 1.0, 1.6])


@pytest.fixture(scope="module")
def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SmallSyncClassifier(**TINY).eval()


def hammer(fps=24.0, seconds=2.0, size=64):
    """A dark block that falls within 65 ms on a bar at each moment and rises slowly."""
    times = np.arange(round(seconds * fps)) / fps
    height = np.ones(len(times))
    for moment in MOMENTS:
        since = times - moment
        fall, rise = (since >= -0.065) & (since < 0), (since >= 0) & (since < 0.3)
        height[fall] = 1 - (since[fall] / 0.065 + 1) ** 2
        height[rise] = np.maximum(since[rise] - 0.04, 0) / 0.26
    frames = np.full((len(times), size, size, 3), 210, np.uint8)
    frames[:, 3 * size // 4 :] = 120
    for frame, h in zip(frames, height, strict=True):
        bottom = round(size * (0.75 - 0.4 * h))
        frame[max(bottom - size // 4, 0) : bottom, size // 3 : 2 * size // 3] = (160, 60, 50)
    return frames


def knocks(rate=16000, seconds=2.0):
    rng = np.random.default_rng(0)
    sound = 1e-3 * rng.standard_normal(round(seconds * rate))
    for moment in MOMENTS:
        start = round(moment * rate)
        tail = np.arange(round(0.2 * rate)) / rate
        sound[start : start + len(tail)] += 0.6 * np.exp(-tail / 0.04) * np.sin(2 * np.pi * 700 * tail)
    return sound


@torch.no_grad()
def test_profile_against_a_loop(tiny):
    generator = torch.Generator().manual_seed(0)
    waveform, video = torch.randn(2, 16000, generator=generator), torch.rand(2, 24, 3, 16, 16, generator=generator)
    audio, frames = tiny.embed_audio(waveform), tiny.embed_video(video)
    assert audio.shape == (2, 50, 8) and frames.shape == (2, 24, 8)
    torch.testing.assert_close(audio.mean(dim=1), torch.zeros(2, 8), rtol=0, atol=1e-5)
    scale = float(tiny.log_scale.exp()) / 8**0.5
    shifts = torch.tensor([0.0, 0.02, -0.3, 0.013])
    found = tiny(waveform, video, shifts)
    for b in range(2):
        for k, shift in enumerate(shifts.tolist()):
            total = 0.0
            for i in range(24):
                place = ((i / 24 - shift) * 50) % 50
                low, share = int(place), place - int(place)
                heard = (1 - share) * audio[b, low % 50] + share * audio[b, (low + 1) % 50]
                total += scale * float(heard @ frames[b, i])
            assert float(found[b, k]) == pytest.approx(total, abs=1e-4)


@torch.no_grad()
def test_clips_do_not_mix_and_size_is_met(tiny):
    video = torch.randint(0, 256, (2, 6, 3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(tiny.embed_video(video)[1:], tiny.embed_video(video[1:]), rtol=0, atol=1e-3)
    one, two = tiny.embed_audio(torch.ones(1, 8000)), tiny.embed_audio(torch.ones(2, 8000))
    torch.testing.assert_close(two[:1], one, rtol=0, atol=1e-5)


def test_bundled_weights_find_a_planted_shift():
    frames, sound = hammer(), knocks()
    true = small_sync_profile(sound, 16000, frames, 24.0)
    assert abs(true.offset) < 0.04 and true.probability > 0.2
    late = small_sync_profile(np.roll(sound, 4800), 16000, frames, 24.0)
    assert late.offset == pytest.approx(-0.3, abs=0.04) and late.probability < 0.01
    other_rates = small_sync_profile(np.stack([knocks(44100)] * 2), 44100, hammer(30.0), 30.0)
    assert abs(other_rates.offset) < 0.05
    assert load_small_sync() is load_small_sync() and not load_small_sync().training


def test_bundled_weights_are_small():
    assert sum(p.numel() for p in load_small_sync().parameters()) < 2_500_000  # 10 MB in float32


def test_silence_and_stillness_are_undefined(tiny):
    for frames, sound in ((hammer(), np.zeros(32000)), (np.repeat(hammer()[:1], 48, axis=0), knocks())):
        profile = small_sync_profile(sound, 16000, frames, 24.0, network=tiny)
        assert np.isnan([profile.offset, profile.probability]).all() and profile.reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: small_sync_profile(knocks(), 16000, hammer() / 255, 24.0, network=n), "`frames` must be uint8"),
        (lambda n: small_sync_profile(knocks(), 16000, hammer(), 0.0, network=n), "`fps` must be positive"),
        (lambda n: small_sync_profile(knocks(), 16000, hammer()[:12], 24.0, network=n), "share at least 1 s"),
        (lambda n: small_sync_profile(knocks() * np.nan, 16000, hammer(), 24.0, network=n), "`waveform` must be"),
        (lambda n: n.embed_audio(torch.zeros(1, 100)), "`waveform` must have shape"),
        (lambda n: n.embed_video(torch.zeros(1, 4, 1, 8, 8)), "`video` must have shape"),
        (lambda n: n(torch.zeros(1, 8000), torch.zeros(2, 4, 3, 8, 8), torch.zeros(1)), "as many clips"),
    ],
)
def test_bad_input(call, message, tiny):
    with pytest.raises(ValueError, match=message):
        call(tiny)
