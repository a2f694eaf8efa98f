"""decord equals PyAV on what it may read and refuses the rest by name."""

from fractions import Fraction

import numpy as np
import pytest

from asva_data import MediaError, read_video
from asva_data.decode_decord import _unpadded

decord = pytest.importorskip("decord")
OPUS = {"audio_codec": "libopus", "sample_rate": 48000}
AV1 = {"codec": "libsvtav1", "size": (128, 192), "codec_options": {"svtav1-params": "lp=1"}}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("plain.mp4", {}),
        ("plain.mkv", {}),
        ("vp9.webm", {"codec": "libvpx-vp9", **OPUS}),
        ("vp8.webm", {"codec": "libvpx", **OPUS}),
        ("av1.mp4", AV1),
        ("av1.webm", {**AV1, **OPUS}),
        ("mjpeg.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("ffv1.mkv", {"codec": "ffv1"}),
        ("odd.mp4", {"pix_fmt": "yuv444p", "size": (65, 97)}),
        ("varied.mp4", {"times": [Fraction(n * n, 500) for n in range(30)]}),
        ("late_sound.mp4", {"audio_start": 0.5}),
        ("one.mp4", {"num_frames": 1}),
    ],
)
@pytest.mark.parametrize("cut", [{}, {"fps": 10, "duration": 0.8}])
def test_equals_pyav(media, tmp_path, name, kinds, cut):
    path = media.write_media(tmp_path / name, **kinds)
    ours, theirs = read_video(path, **cut), read_video(path, backend="decord", **cut)
    np.testing.assert_array_equal(ours.frames, theirs.frames)
    np.testing.assert_allclose(ours.times, theirs.times, atol=1e-9)
    np.testing.assert_array_equal(ours.waveform, theirs.waveform)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_equals_pyav_on_turned_pictures(media, tmp_path, degrees):
    path = media.turn_track(media.write_media(tmp_path / "a.mp4", num_frames=4), degrees)
    np.testing.assert_array_equal(read_video(path, backend="decord").frames, read_video(path).frames)


@pytest.mark.parametrize(
    ("name", "kinds", "match"),
    [
        ("a.ts", {}, "mpegts"),
        ("a.avi", {}, "avi"),
        ("hevc.mp4", {"codec": "libx265"}, "hevc"),
        ("mpeg4.mp4", {"codec": "mpeg4", "clock": 48000}, "mpeg4"),
        ("mpeg2.mkv", {"codec": "mpeg2video", "clock": 24}, "mpeg2video"),
        ("old.flv", {}, "flv"),
        ("late.mp4", {"video_start": 0.5}, "start at zero"),
        ("pieces.mp4", {"options": {"movflags": "frag_keyframe+empty_moov"}}, "start at zero"),
        ("deep.mp4", {"pix_fmt": "yuv420p10le"}, "more than 8 bits"),
        ("deep.mkv", {"codec": "ffv1", "pix_fmt": "yuv420p10le"}, "more than 8 bits"),
        ("open.mp4", {"num_frames": 48, "codec_options": {"x264-params": "open-gop=1"}}, "open"),
        ("fields.mp4", {"codec_options": {"x264-params": "interlaced=1"}}, "interlaced"),
        ("anamorphic.mp4", {"pixel_aspect": Fraction(4, 3)}, "not square"),
    ],
)
def test_refuses_what_it_misreads(media, tmp_path, name, kinds, match):
    path = media.write_media(tmp_path / name, **{"num_frames": 12, **kinds})
    with pytest.raises(MediaError, match=rf"`backend` must be 'pyav' for .*{match}"):
        read_video(path, backend="decord")


def test_refuses_edit_lists_and_mirrors(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4")
    media.cut_without_decoding(path, tmp_path / "cut.mp4", 0.8)
    with pytest.raises(MediaError, match="edit list"):
        read_video(tmp_path / "cut.mp4", backend="decord")
    with pytest.raises(MediaError, match="mirrored"):
        read_video(media.turn_track(path, "mirror"), backend="decord")


def test_damaged_file(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(MediaError):
        read_video(path, backend="decord")


def test_absent_decord_names_the_mend(media, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "decord", None)
    with pytest.raises(MediaError, match="`backend` must be 'pyav' here"):
        read_video(media.write_media(tmp_path / "a.mp4", num_frames=2), backend="decord")


@pytest.mark.parametrize(("width", "channels"), [(96, 3), (96, 4), (16, 12)])
def test_padding_of_rows_is_no_channel(width, channels):
    """What decord returns depends on the processor, so the padded form is made here."""
    colours = np.random.default_rng(0).integers(0, 256, (5, width, 3), np.uint8)
    rows = np.zeros((5, width * channels), np.uint8)
    rows[:, : 3 * width] = colours.reshape(5, -1)
    np.testing.assert_array_equal(_unpadded(rows.reshape(5, width, channels)), colours)
