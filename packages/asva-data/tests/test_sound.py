"""Sound of every format, exact to the sample and on the picture's clock."""

import numpy as np
import pytest

from asva_data import MediaError, read_video


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("u8.mkv", {"audio_codec": "pcm_u8"}),
        ("s16.mov", {"audio_codec": "pcm_s16le", "channels": 2}),
        ("s24.mov", {"audio_codec": "pcm_s24le", "channels": 2}),
        ("s32.mkv", {"audio_codec": "pcm_s32le"}),
        ("f32.mkv", {"audio_codec": "pcm_f32le"}),
        ("f64.mkv", {"audio_codec": "pcm_f64le", "channels": 6}),
        ("flac.mkv", {"audio_codec": "flac"}),
        ("alac.mov", {"audio_codec": "alac"}),
    ],
)
def test_lossless_formats_come_back_exactly(media, tmp_path, name, kinds):
    clip = read_video(media.write_media(tmp_path / name, num_frames=4, **kinds))
    expected = media.click_track(channels=kinds.get("channels", 1))
    tolerance = 1 / 127 if "u8" in name else 1e-4
    assert clip.waveform.dtype == np.float32
    np.testing.assert_allclose(clip.waveform, expected, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "tolerance"),
    [
        ("a.mp4", "aac", 16000, 0.5 / 16000),
        ("a.mp4", "aac", 44100, 0.5 / 44100),
        ("a.mp4", "libmp3lame", 44100, 0.5 / 44100),
        ("a.webm", "libopus", 48000, 1e-4),
        ("a.mkv", "aac", 48000, 1e-3),
    ],
)
def test_lossy_formats_keep_their_clicks_and_length(media, tmp_path, name, codec, rate, tolerance):
    video = "libvpx-vp9" if name.endswith("webm") else "libx264"
    clip = read_video(media.write_media(tmp_path / name, codec=video, audio_codec=codec, sample_rate=rate, channels=2))
    assert clip.waveform.shape[0] == 2 and clip.sample_rate == rate
    assert media.click_times(clip.waveform, rate, 2) == pytest.approx([0.25, 1.25], abs=tolerance)
    assert clip.waveform.shape[1] / rate == pytest.approx(2.0, abs=0.07 if name.endswith("mkv") else 1e-9)


def test_silence_fills_the_time_before_a_late_track(media, tmp_path):
    clip = read_video(media.write_media(tmp_path / "a.mp4", audio_start=0.5))
    assert clip.waveform.shape == (1, 40000)
    assert not clip.waveform[:, :7000].any()
    early = read_video(tmp_path / "a.mp4", duration=0.3)
    assert early.waveform.shape == (1, 4800) and not early.waveform.any()


def test_a_cut_after_the_sound_is_empty(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", num_frames=72)
    assert read_video(path, start=2.5, duration=0.25).waveform.shape == (1, 0)


def test_a_cut_over_the_end_of_the_sound_is_short(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", num_frames=72)
    assert read_video(path, start=1.5, duration=1.0).waveform.shape == (1, 8000)


def test_nan_is_refused(media, tmp_path):
    path = media.write_media(tmp_path / "a.mkv", num_frames=2, audio_codec="pcm_f32le", gain=float("nan"))
    with pytest.raises(MediaError, match="NaN"):
        read_video(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_a_cut_is_a_part_of_the_whole_to_the_sample(media, tmp_path, name):
    codecs = ("libvpx-vp9", "libopus", 48000) if name == "a.webm" else ("libx264", "aac", 16000)
    path = media.write_media(tmp_path / name, codec=codecs[0], audio_codec=codecs[1], sample_rate=codecs[2])
    whole = read_video(path).waveform
    for start in (0.3, 0.777):
        part = read_video(path, start=start, duration=1.0).waveform
        first = round(start * codecs[2])
        np.testing.assert_array_equal(part, whole[:, first : first + codecs[2]])
