"""Frames, times and cuts of every kind of file, against what was written."""

from fractions import Fraction

import numpy as np
import pytest

from asva_data import Clip, MediaError, iter_frames, probe, read_video, write_video
from asva_weights.limits import Limits


def numbers(clip, media):
    return [media.number_of(frame) for frame in clip.frames]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("plain.mp4", {}),
        ("plain.mov", {}),
        ("plain.mkv", {}),
        ("vp9.webm", {"codec": "libvpx-vp9", "audio_codec": "libopus", "sample_rate": 48000}),
        ("hevc.mp4", {"codec": "libx265"}),
        ("ten_bit.mp4", {"pix_fmt": "yuv420p10le"}),
        ("full_chroma.mp4", {"pix_fmt": "yuv444p"}),
        ("odd.mp4", {"pix_fmt": "yuv444p", "size": (65, 97)}),
        ("long_gop.mp4", {"gop": 250}),
        ("surround.mp4", {"channels": 6, "sample_rate": 48000}),
        ("ntsc.mp4", {"fps": Fraction(30000, 1001), "num_frames": 60}),
    ],
)
def test_every_frame_comes_at_its_time(media, tmp_path, name, kinds):
    clip = read_video(media.write_media(tmp_path / name, **kinds))
    fps, count = float(kinds.get("fps", 24)), kinds.get("num_frames", 48)
    assert clip.frames.shape == (count, *kinds.get("size", (64, 96)), 3)
    assert numbers(clip, media) == list(range(count))
    np.testing.assert_allclose(clip.times, np.arange(count) / fps, atol=1e-3)
    assert clip.fps == pytest.approx(fps)
    assert media.click_times(clip.waveform, clip.sample_rate, 2) == pytest.approx([0.25, 1.25], abs=1e-3)


def test_colours_survive(media, tmp_path):
    clip = read_video(media.write_media(tmp_path / "a.mp4"))
    assert np.abs(clip.frames[10, -10, 48].astype(int) - (200, 60, 30)).max() <= 6


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("video_start", "audio_start"), [(0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (0.0, 0.0)])
def test_offset_between_picture_and_sound_is_kept(media, tmp_path, ending, video_start, audio_start):
    path = media.write_media(tmp_path / f"a.{ending}", video_start=video_start, audio_start=audio_start)
    clip = read_video(path)
    clicks = media.click_times(clip.waveform, clip.sample_rate, 2)
    offset = clicks[0] - clip.times[0]
    assert offset == pytest.approx(0.25 + audio_start - video_start, abs=1e-3)
    assert numbers(clip, media) == list(range(48))
    assert clip.times[0] >= 0


def test_time_zero_is_the_earlier_start(media, tmp_path):
    clip = read_video(media.write_media(tmp_path / "a.mp4", video_start=0.5))
    assert clip.times[0] == pytest.approx(0.5, abs=1e-4)
    assert clip.duration == pytest.approx(2.5, abs=1e-3)
    silent = read_video(media.write_media(tmp_path / "b.mp4", video_start=0.5, sound=False))
    assert silent.times[0] == 0
    info = probe(tmp_path / "a.mp4")
    assert (info.start, info.duration, info.has_sound) == (pytest.approx(0.5), pytest.approx(2.5), True)


def test_edit_list_hides_what_a_player_hides(media, tmp_path):
    source = media.write_media(tmp_path / "a.mp4")
    clip = read_video(media.cut_without_decoding(source, tmp_path / "cut.mp4", 0.75))
    assert numbers(clip, media) == list(range(18, 48))
    assert media.click_times(clip.waveform, clip.sample_rate, 1)[0] - clip.times[0] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(media, tmp_path, degrees):
    upright = read_video(media.write_media(tmp_path / "a.mp4", num_frames=3))
    turned = read_video(media.turn_track(tmp_path / "a.mp4", degrees))
    np.testing.assert_array_equal(turned.frames, np.rot90(upright.frames, -degrees // 90, axes=(1, 2)))


def test_mirror_is_applied(media, tmp_path):
    upright = read_video(media.write_media(tmp_path / "a.mp4", num_frames=3))
    mirrored = read_video(media.turn_track(tmp_path / "a.mp4", "mirror"))
    np.testing.assert_array_equal(mirrored.frames, upright.frames[:, :, ::-1])


def test_pixels_become_square(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", num_frames=3, pixel_aspect=Fraction(4, 3))
    clip = read_video(path)
    assert clip.frames.shape == (3, 64, 128, 3)
    assert numbers(clip, media) == [0, 1, 2]


def test_variable_rate_keeps_times_and_resamples_by_time(media, tmp_path):
    times = [Fraction(n * n, 500) for n in range(30)]
    path = media.write_media(tmp_path / "a.mp4", times=times)
    clip = read_video(path)
    np.testing.assert_allclose(clip.times, [float(time) for time in times], atol=1e-4)
    even = read_video(path, fps=20)
    expected = [max(n for n, time in enumerate(times) if float(time) <= i / 20 + 1e-3) for i in range(len(even.frames))]
    assert numbers(even, media) == expected
    np.testing.assert_allclose(even.times, np.arange(len(even.times)) / 20)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("fps", [24, 6, 12, 30, 48, 10])
def test_resampling_takes_the_nearest_previous_frame(media, tmp_path, ending, fps):
    clip = read_video(media.write_media(tmp_path / f"a.{ending}"), fps=fps)
    assert numbers(clip, media) == [int(i * 24 / fps + 1e-6) for i in range(2 * fps)]
    assert clip.fps == fps


def test_cut(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4")
    clip = read_video(path, start=0.5, duration=1.0)
    assert numbers(clip, media) == list(range(12, 36))
    assert clip.times[0] == pytest.approx(0, abs=1e-6)
    assert clip.waveform.shape == (1, 16000)
    assert media.click_times(clip.waveform, 16000, 1) == [pytest.approx(0.75)]
    between = read_video(path, start=0.51, duration=0.1)
    assert numbers(between, media) == [13, 14]
    assert between.times[0] == pytest.approx(13 / 24 - 0.51)
    assert numbers(read_video(path, start=0.51, duration=0.1, fps=24), media) == [12, 13, 14]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "hevc.mp4"])
@pytest.mark.parametrize("start", [10.5, 13.37, 17.0])
def test_a_seek_finds_the_same_frames_as_decoding_from_the_start(media, tmp_path, monkeypatch, name, start):
    codec = "libx265" if name == "hevc.mp4" else "libx264"
    path = media.write_media(
        tmp_path / name, num_frames=216, fps=12, codec=codec, gop=40, seconds=18.0, clicks=(10.7, 17.3)
    )
    sought = read_video(path, start=start, duration=0.9)
    monkeypatch.setattr("asva_data.tracks.SEEK_FROM", 1e9)
    plain = read_video(path, start=start, duration=0.9)
    assert numbers(sought, media) == numbers(plain, media)
    np.testing.assert_array_equal(sought.times, plain.times)
    np.testing.assert_array_equal(sought.frames, plain.frames)
    np.testing.assert_allclose(sought.waveform, plain.waveform, atol=1e-4)


def test_size_crops_and_resizes(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", num_frames=4)
    assert read_video(path, size=32).frames.shape == (4, 32, 32, 3)
    assert read_video(path, size=(40, 60)).frames.shape == (4, 40, 60, 3)


def test_one_frame(media, tmp_path):
    clip = read_video(media.write_media(tmp_path / "a.mp4", num_frames=1, sound=False))
    assert (clip.frames.shape[0], list(clip.times), clip.duration) == (1, [0.0], pytest.approx(1 / 24))
    assert len(read_video(tmp_path / "a.mp4", fps=48).frames) == 2


def test_without_sound(media, tmp_path):
    clip = read_video(media.write_media(tmp_path / "a.mp4", sound=False))
    assert clip.waveform is None and clip.sample_rate is None
    assert read_video(media.write_media(tmp_path / "b.mp4"), sound=False).waveform is None


def test_frames_are_streamed(media, tmp_path, monkeypatch):
    path = media.write_media(tmp_path / "a.mp4")
    converted = []
    import asva_data.decode_pyav as backend

    original = backend.to_rgb
    monkeypatch.setattr(backend, "to_rgb", lambda *args: converted.append(1) or original(*args))
    frames = iter_frames(path)
    next(frames), next(frames)
    assert len(converted) == 2
    frames.close()
    list(iter_frames(path, fps=6))
    assert len(converted) == 2 + 12  # frames that nobody sees are not converted


def test_a_clip_too_large_for_memory_names_the_mend(media, tmp_path, monkeypatch):
    monkeypatch.setattr("asva_data.decode.limits", lambda: Limits(held=100_000))
    with pytest.raises(MediaError, match="iter_frames"):
        read_video(media.write_media(tmp_path / "a.mp4"))


def test_odd_names(media, tmp_path):
    path = tmp_path / "a:b %03d #é?.mp4"
    media.write_media(tmp_path / "a.mp4", num_frames=2).rename(path)
    assert len(read_video(path).frames) == 2


def corrupt(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (48, 64, 64, 3), dtype=np.uint8)
    whole = write_video(tmp_path / "whole.mp4", frames, fps=24, waveform=np.zeros((1, 32000)), sample_rate=16000)
    return whole.read_bytes()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_truncated_file(tmp_path, share):
    data = corrupt(tmp_path)
    path = tmp_path / "part.mp4"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(MediaError, match=r"part\.mp4"):
        read_video(path)


def test_truncated_file_with_its_index_at_the_end(media, tmp_path):
    data = media.write_media(tmp_path / "a.mp4").read_bytes()
    path = tmp_path / "part.mp4"
    path.write_bytes(data[: data.index(b"moov")])
    with pytest.raises(MediaError, match=r"part\.mp4"):
        read_video(path)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("zero.mp4", b"", "the empty file"),
        ("page.mp4", b"<html><body>Not found</body></html>" * 40, "whole media file"),
        ("noise.mp4", bytes(range(256)) * 40, "whole media file"),
        ("text.txt", b"hello\n" * 100, "text"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:2,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n", "media file"),
    ],
)
def test_not_media(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=match) as caught:
        read_video(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


@pytest.mark.parametrize("name", ["list.mp4", "list.mkv", "list", "list.ffconcat", "list.m3u8"])
@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile other.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
    ids=["concat", "hls", "sdp"],
)
def test_a_playlist_opens_no_other_file(media, tmp_path, name, content):
    media.write_media(tmp_path / "other.mp4")
    (tmp_path / name).write_text(content, encoding="utf-8")
    for read in (probe, read_video, lambda path: read_video(path, backend="decord")):
        with pytest.raises(MediaError, match=r"must be a (whole )?media file") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(MediaError, match=r"existing file, got .*nowhere\.mp4"):
        read_video(tmp_path / "nowhere.mp4")
    with pytest.raises(MediaError, match="existing file"):
        read_video(tmp_path)


def test_sound_without_picture(media, tmp_path):
    with pytest.raises(MediaError, match="must have a picture"):
        read_video(media.write_media(tmp_path / "a.m4a", picture=False, container_format="mp4"))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"start": -1}, "`start`"),
        ({"start": float("nan")}, "`start`"),
        ({"start": 5.0}, "`start` must lie within"),
        ({"duration": 0}, "`duration`"),
        ({"fps": 0}, "`fps`"),
        ({"fps": float("inf")}, "`fps`"),
        ({"size": 0}, "`size`"),
        ({"size": (10, 2.5)}, "`size`"),
        ({"backend": "opencv"}, "`backend` must be 'pyav' or 'decord'"),
    ],
)
def test_arguments_are_checked(media, tmp_path, arguments, match):
    path = media.write_media(tmp_path / "a.mp4", num_frames=4)
    with pytest.raises(MediaError, match=match):
        read_video(path, **arguments)


def test_clip_is_frozen():
    clip = Clip(frames=np.zeros((2, 4, 4, 3), np.uint8), times=np.array([0.0, 0.5]), fps=2.0)
    assert clip.duration == 1.0
    with pytest.raises(AttributeError):
        clip.fps = 3.0
