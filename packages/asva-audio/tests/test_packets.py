"""The original loader's packets and its scramble, on stored results and on files."""

import av
import numpy as np
import pytest
import torch

from asva_audio import AudioError, load_audio, resample
from asva_audio.packets import official_packets, scramble_packets

RATE, PACKET = 16000, 1024


def synthetic(spec) -> tuple[np.ndarray, list[np.ndarray]]:
    """Times and packets of the fixture's reader: sample i of channel k is i + k / 4."""
    rate, count = spec["audio_sr"], spec["audio_samples"]
    sound = (np.arange(count) + 0.25 * np.arange(spec["audio_channels"])[:, None]).astype(np.float32)
    first = np.arange(0, count, PACKET)
    return np.round(first / rate * 1e6).astype(np.int64), [sound[:, i : i + PACKET] for i in first]


def clip(spec, start, duration=2.0) -> torch.Tensor:
    times, packets = synthetic(spec)
    taken = np.flatnonzero(official_packets(times, start, duration))
    return resample(torch.from_numpy(scramble_packets([packets[i] for i in taken])), spec["audio_sr"], 16000)


@pytest.mark.parity("asva/sampling*.safetensors")
def test_packets_match_the_original(parity):
    exact = {"rtol": 0, "atol": 0}
    for case in parity.config["cases"]:
        stored = {key.split(".")[-1]: value for key, value in parity.outputs.items() if key.startswith(case["name"])}
        for i, start in enumerate(case["starts"]):
            sound = clip(case["spec"], start)
            assert sound.shape[1] == case["audio_len"][i] == stored["audio_len"][i]
            pieces = {
                "audio_first": sound[0, :6],
                "audio_packet2": sound[0, PACKET : PACKET + 6],
                "audio_ch1_first": sound[-1, :6],
                "audio_ch0_512": sound[0, 508:516],
            }
            for name in pieces.keys() & stored.keys():
                torch.testing.assert_close(pieces[name], stored[name][i], **exact)


@pytest.mark.parity("asva/sampling*.safetensors")
def test_packets_of_the_classifiers_clips_match_the_original(parity):
    for data in parity.config["sync_dataset"]:
        stored = parity.outputs[f"{data['name']}.audio_len_first_last"]
        begin = float(parity.outputs[f"{data['name']}.seeks"][0])
        for i, (length, first, last) in enumerate(stored.tolist()):
            sound = clip(data["spec"], begin + i * data["kwargs"]["shift_time"] + 1e-4, 2 - 2e-4)
            assert (sound.shape[1], float(sound[0, 0]), float(sound[0, -1])) == (length, first, last)


def test_a_scrambled_packet_is_two_halves_of_interleaved_samples():
    packets = [np.array([[1.0, 3, 5, 7], [2, 4, 6, 8]]), np.array([[9.0, 11], [10, 12]])]
    assert scramble_packets(packets).tolist() == [[1, 2, 3, 4, 9, 10], [5, 6, 7, 8, 11, 12]]
    assert scramble_packets([p[:1] for p in packets]).tolist() == [[1, 3, 5, 7, 9, 11]]


def stereo(seconds=3.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * np.array([[300.0], [500]]) * time)).astype(np.float32)


def test_a_stereo_file_is_scrambled_packet_by_packet(write_sound):
    path = write_sound("a.mp4", stereo(), RATE, "aac", video=True)
    with av.open(str(path)) as container:
        frames = [(f.pts * f.time_base, f.to_ndarray()) for f in container.decode(audio=0)]
    wanted = [samples for time, samples in frames if 0.5 <= time <= 2.5]
    audio = load_audio(path, start=0.5, duration=2.0, stereo="official", mono=False)
    torch.testing.assert_close(audio.waveform, torch.from_numpy(scramble_packets(wanted)), rtol=0, atol=1e-6)
    assert audio.waveform.shape[1] % PACKET == 0
    first = load_audio(path, start=0.5, duration=2.0, stereo="official")
    assert torch.equal(first.waveform, audio.waveform[:1])
    assert not torch.allclose(first.waveform[:, :31000], load_audio(path, start=0.5).waveform[:, :31000], atol=0.1)


def test_a_mono_file_is_the_same_either_way(write_sound):
    path = write_sound("a.wav", stereo()[:1], RATE, "pcm_s16le")
    torch.testing.assert_close(load_audio(path, stereo="official").waveform, load_audio(path).waveform, rtol=0, atol=0)
    early = load_audio(path, start=-0.5, duration=2.0, stereo="official")
    assert early.duration == pytest.approx(1.5, abs=0.3)


def test_wrong_arguments_are_named(write_sound):
    path = write_sound("a.wav", stereo(1.0), RATE, "pcm_s16le")
    with pytest.raises(ValueError, match='`stereo` must be "correct" or "official", got \'left\''):
        load_audio(path, stereo="left")
    with pytest.raises(AudioError, match=r"a\.wav has no packet of sound in the clip at 5 s; its last is at 0\.\d+ s"):
        load_audio(path, start=5, duration=2, stereo="official")
    with pytest.raises(ValueError, match="`start` must be a finite number of seconds, got nan"):
        load_audio(path, start=float("nan"), stereo="official")
    with pytest.raises(ValueError, match="`start` must be at least 0"):
        load_audio(path, start=-1)
