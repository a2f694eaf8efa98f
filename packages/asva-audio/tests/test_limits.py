"""Sounds that ask for more than they should get: rates, channels, gaps and pipes."""

import os
import struct

import numpy as np
import pytest
import torch

from asva_audio import AudioError, load_audio, resample
from asva_audio.timeline import Timeline


def write_wav(path, rate, samples=4000, channels=1):
    data = np.zeros(samples * channels, np.int16).tobytes()
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    body = b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


@pytest.mark.parametrize("rate", [1, 100, 999, 768_001, 100_000_000])
def test_absurd_rates_are_refused(tmp_path, rate):
    """8 to 384 GB were asked for in resampling."""
    with pytest.raises(AudioError, match=rf"must have 1000 to 768000 samples a second, got {rate} in .*a\.wav"):
        load_audio(write_wav(tmp_path / "a.wav", rate))


@pytest.mark.parametrize("rate", [1000, 8000, 768_000])
def test_odd_rates_are_read(tmp_path, rate):
    assert load_audio(write_wav(tmp_path / "a.wav", rate)).waveform.shape == (1, -(-4000 * 16000 // rate))


def test_what_resampling_would_make_is_bounded_before_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("ASVA_LIMITS", "held=200000")
    from asva_weights.limits import limits

    limits.cache_clear()
    with pytest.raises(AudioError, match=r"`path` must hold at most 0 GiB of sound, got .*a\.wav"):
        load_audio(write_wav(tmp_path / "a.wav", 1000))
    monkeypatch.undo()
    limits.cache_clear()


def test_many_channels_take_no_more_memory_at_a_time():
    sound = torch.rand(40, 50, generator=torch.Generator().manual_seed(0))
    whole = resample(sound, 44101, 96001)
    torch.testing.assert_close(whole, torch.cat([resample(row[None], 44101, 96001) for row in sound]))


def test_a_track_that_begins_in_a_thousand_years_is_refused():
    track = Timeline(rate=48000, path="late.mp4")
    with pytest.raises(AudioError, match=r"`path` must hold at most 8 GiB of sound, got late\.mp4; cut it"):
        track.add(np.zeros((1, 1024), np.float32), 48000 * 31_557_600_000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_pipes_and_devices_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(AudioError, match="is a pipe or a device"):
            load_audio(path)
