"""Reading sound: every usual container, exact times, honest errors."""

import wave
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from asva_audio import Audio, AudioError, load_audio, reading

RATE = 48000
CUT_OFF = [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.m4a", "aac"), ("a.mkv", "aac"), ("a.mp3", "libmp3lame")]
# name, codec, largest error of a sample
FILES = [
    ("a.wav", "pcm_u8", 1e-2),
    ("a.wav", "pcm_s16le", 5e-5),
    ("a.wav", "pcm_s24le", 5e-7),
    ("a.wav", "pcm_f32le", 0),
    ("a.wav", "pcm_f64le", 0),
    ("a.aiff", "pcm_s16be", 5e-5),
    ("a.flac", "flac", 5e-5),
    ("a.mp3", "libmp3lame", 0.05),
    ("a.ogg", "libopus", 0.05),
    ("a.m4a", "aac", 0.05),
    ("a.mkv", "aac", 0.05),
    ("a.webm", "libopus", 0.05),
]
IDS = [f"{name[2:]}-{codec}" for name, codec, _ in FILES]
SEEKABLE = [
    ("a.wav", "pcm_s16le"),
    ("a.flac", "flac"),
    ("a.mp3", "libmp3lame"),
    ("a.m4a", "aac"),
    ("a.webm", "libopus"),
]


def tone(seconds=1.0, burst=0.25, rate=RATE):
    """Silence with 50 ms of 1 kHz at ``burst`` seconds, (1, s)."""
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.5 * np.sin(2 * np.pi * 1000 * time) * ((time >= burst) & (time < burst + 0.05))
    return sound[None].astype(np.float32)


def onset(audio: Audio) -> float:
    loud = audio.waveform.abs().amax(0) > 0.2
    return int(loud.nonzero()[0]) / audio.sample_rate


@pytest.mark.parametrize(("name", "codec", "tolerance"), FILES, ids=IDS)
def test_every_container_keeps_samples_and_times(write_sound, name, codec, tolerance):
    sound = tone()
    audio = load_audio(write_sound(name, sound, RATE, codec), sample_rate=None)
    assert (audio.sample_rate, audio.waveform.dtype) == (RATE, torch.float32)
    assert 1.0 <= audio.duration < 1.025  # AAC may end with the rest of its last packet
    torch.testing.assert_close(audio.waveform[:, :RATE], torch.from_numpy(sound), rtol=0, atol=tolerance)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 2.0123])
def test_what_fills_an_encoder_s_last_block_up_is_left_out(write_sound, seconds):
    """MP4 says where the sound ends: a picture made for it would have a frame too many."""
    path = write_sound("a.m4a", tone(seconds, burst=0.1, rate=16000), 16000, "aac")
    whole, end = load_audio(path, sample_rate=None), load_audio(path, sample_rate=None, start=seconds - 0.1)
    assert 0 <= whole.duration - seconds < 1e-3  # it counts in milliseconds
    assert end.waveform.shape[1] == whole.waveform.shape[1] - round((seconds - 0.1) * 16000)


def test_a_header_that_states_too_short_an_end_loses_nothing():
    track = reading.Timeline(rate=16000, end=16000.0)
    track.add(np.ones((1, 20000), np.float32), 0)
    track.trim(reading.PADDING)
    assert track.samples().shape == (1, 20000)
    track.end = 18000.0
    track.trim(reading.PADDING)
    assert track.samples().shape == (1, 18000)


def test_rate_and_length_follow_the_request(write_sound):
    path = write_sound("a.wav", tone(1.5), RATE, "pcm_s16le")
    audio = load_audio(path)
    assert (audio.sample_rate, tuple(audio.waveform.shape)) == (16000, (1, 24000))
    assert onset(audio) == pytest.approx(0.25, abs=5e-4)
    assert load_audio(path, sample_rate=22050, start=0.2, duration=0.5).waveform.shape == (1, 11025)


def test_channels_stay_apart_or_are_averaged(write_sound):
    stereo = np.concatenate([tone(), 0.2 * tone(burst=0.6)])
    path = write_sound("a.flac", stereo, RATE, "flac")
    apart = load_audio(path, sample_rate=None, mono=False).waveform
    torch.testing.assert_close(apart, torch.from_numpy(stereo), rtol=0, atol=5e-5)
    mixed = load_audio(path, sample_rate=None).waveform
    torch.testing.assert_close(mixed, torch.from_numpy(stereo).mean(0, keepdim=True), rtol=0, atol=5e-5)


def test_surround_is_mixed_by_the_usual_weights(write_sound):
    levels = torch.tensor([0.1, 0.2, 0.3, 0.9, 0.4, 0.5])  # left, right, centre, subwoofer, back left, back right
    sound = levels[:, None].expand(6, 4800).numpy()
    mixed = load_audio(write_sound("a.wav", sound, RATE, "pcm_f32le", "5.1"), sample_rate=None).waveform
    weights = torch.tensor([1, 1, 2**0.5, 0, 0.5**0.5, 0.5**0.5])
    torch.testing.assert_close(mixed, (levels @ (weights / weights.sum())).expand(1, 4800))


@pytest.mark.parametrize(("name", "codec"), SEEKABLE, ids=[codec for _, codec in SEEKABLE])
def test_a_late_cut_is_found_by_searching(write_sound, monkeypatch, name, codec):
    path = write_sound(name, tone(20, burst=15.3), RATE, codec)
    decoded = []
    to_float = reading.to_float
    monkeypatch.setattr(reading, "to_float", lambda frame: decoded.append(frame.samples) or to_float(frame))
    audio = load_audio(path, start=15, duration=0.5)
    assert audio.waveform.shape == (1, 8000)
    assert onset(audio) == pytest.approx(0.3, abs=2e-3)  # WebM rounds to milliseconds
    assert sum(decoded) < 8 * RATE


def test_two_seconds_of_an_hour_are_read_without_the_hour(tmp_path, monkeypatch):
    path, rate = tmp_path / "hour.wav", 8000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, rate, 3600 * rate, "NONE", ""))
        file.writeframesraw(b"\x80" * rate)
        file._patchheader = lambda: None  # the rest of the hour is a hole in the file
    with path.open("r+b") as file:
        file.truncate(44 + 3600 * rate)
    blocks = []
    to_float = reading.to_float
    monkeypatch.setattr(reading, "to_float", lambda frame: blocks.append(frame.samples) or to_float(frame))
    assert load_audio(path, start=1800, duration=2).waveform.shape == (1, 32000)
    assert sum(blocks) < 4 * rate


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "flac"), ("a.webm", "libopus")])
def test_a_track_that_starts_late_is_preceded_by_silence(write_sound, name, codec):
    path = write_sound(name, tone(1), RATE, codec, start=0.5, video=True)
    audio = load_audio(path)
    assert onset(audio) == pytest.approx(0.75, abs=2e-3)
    assert audio.duration == pytest.approx(1.5, abs=0.03)
    before = load_audio(path, duration=0.3)
    assert before.waveform.shape == (1, 4800) and not before.waveform.any()


def test_silence_and_twenty_milliseconds_are_sounds(write_sound):
    assert not load_audio(write_sound("silent.wav", np.zeros((1, RATE)), RATE, "pcm_s16le")).waveform.any()
    assert load_audio(write_sound("short.wav", tone(0.02, 0), RATE, "pcm_s16le")).waveform.shape == (1, 320)
    assert load_audio(write_sound("short.mp3", tone(0.02, 0), RATE, "libmp3lame")).duration == pytest.approx(
        0.02, abs=0.03
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(write_sound, value):
    sound = tone()
    sound[0, 100] = value
    with pytest.raises(AudioError, match=r"a\.wav holds samples that are NaN or infinite; export it again"):
        load_audio(write_sound("a.wav", sound, RATE, "pcm_f32le"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist; check the path"),
        (b"", r"is empty \(0 bytes\)"),
        (b"<html><body>404 Not Found</body></html>" * 20, "not a sound or video file|has no sound"),
        (bytes(range(256)) * 64, "not a sound or video file|no sound"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "truncated|no sound"),
    ],
    ids=["missing", "empty", "html", "garbage", "header"],
)
@pytest.mark.parametrize("suffix", [".wav", ".mp4", ".mp3", ""])
def test_what_is_no_sound_gives_one_line(tmp_path, content, message, suffix):
    path = tmp_path / f"thing{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=message) as caught:
        load_audio(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    ["ffconcat version 1.0\nfile a.wav\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\na.wav\n#EXT-X-ENDLIST\n"],
    ids=["concat", "hls"],
)
@pytest.mark.parametrize("name", ["list.mp4", "list.wav", "list.m3u8"])
@pytest.mark.parametrize("stereo", ["correct", "official"])
def test_a_playlist_opens_no_other_file(write_sound, tmp_path, name, content, stereo):
    other = write_sound("a.wav", tone(), RATE, "pcm_s16le")
    path = other.with_name(name)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AudioError, match="not a sound or video file") as caught:
        load_audio(path, stereo=stereo)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_and_a_silent_film_are_refused(tmp_path):
    with pytest.raises(AudioError, match="is a folder; name a sound"):
        load_audio(tmp_path)
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match=r"film\.mp4 has no sound track; give a sound of its own"):
        load_audio(path)


@pytest.mark.parametrize(("name", "codec"), CUT_OFF, ids=[codec for _, codec in CUT_OFF])
def test_a_truncated_file_is_refused_but_its_beginning_can_be_cut_out(write_sound, name, codec):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 3 * RATE)).astype(np.float32)
    path = write_sound(name, noise, RATE, codec)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(AudioError, match="truncated"):
        load_audio(path)
    if name != "a.m4a":  # its table of contents stands at the end
        assert load_audio(path, duration=1).duration == 1.0


def test_times_out_of_range_are_named(write_sound):
    path = write_sound("a.wav", tone(), RATE, "pcm_s16le")
    for start in (1.5, 99):
        with pytest.raises(AudioError, match=r"a\.wav ends at 1\.00 s, before `start` at"):
            load_audio(path, start=start)
    with pytest.raises(ValueError, match="`start` must be at least 0"):
        load_audio(path, start=-1)
    for duration in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="`duration` must be a positive"):
            load_audio(path, duration=duration)
    with pytest.raises(ValueError, match="`new` must be a positive whole number"):
        load_audio(path, sample_rate=0)


@pytest.mark.slow
def test_every_real_clip_is_read(clips):
    for path in clips:
        audio = load_audio(path)
        assert 0.1 < audio.duration < 20 and torch.isfinite(audio.waveform).all(), path
        late = load_audio(path, start=0.5, duration=0.25)
        torch.testing.assert_close(late.waveform[:, 200:-200], audio.waveform[:, 8200:11800], rtol=0, atol=2e-2)
