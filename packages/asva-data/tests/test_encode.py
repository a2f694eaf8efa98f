"""Written files: exact, whole or absent, the same bytes again."""

import os
import signal
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from asva_data import MediaError, read_video, write_video


def pictures(media, count=48, size=(64, 96)):
    return np.stack([media.numbered_frame(number, size) for number in range(count)])


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (24, 24),
        (29.97, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        (Fraction(15, 2), Fraction(15, 2)),
        (np.float32(6.0), 6),
    ],
)
def test_rate_is_exact(media, tmp_path, fps, exact):
    path = write_video(tmp_path / "a.mp4", pictures(media, 12), fps=fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == exact
        times = [frame.pts * frame.time_base for frame in container.decode(stream)]
    np.testing.assert_allclose([float(time) for time in times], np.arange(12) / float(exact), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.02, 1.9, 2.0, 2.3, 5.0])
def test_sound_ends_with_the_picture(media, tmp_path, rate, seconds):
    waveform = np.full((1, round(rate * seconds)), 0.1, np.float32)
    path = write_video(tmp_path / "a.mp4", pictures(media), fps=24, waveform=waveform, sample_rate=rate)
    with av.open(str(path)) as container:
        for stream in (container.streams.video[0], container.streams.audio[0]):
            assert float(stream.duration * stream.time_base) == pytest.approx(2.0, abs=1e-6)
            assert stream.start_time == 0
    clip = read_video(path)
    assert clip.waveform.shape == (1, 2 * rate)
    assert not np.abs(clip.waveform[:, round(rate * seconds) + 2048 :]).max(initial=0) > 0.01


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("fps", [24, 29.97, 6])
def test_clicks_and_frames_come_back_where_they_were(media, tmp_path, channels, fps):
    sound = media.click_track(channels=channels)
    path = write_video(tmp_path / "a.mp4", pictures(media), fps=fps, waveform=sound, sample_rate=16000)
    clip = read_video(path)
    assert [media.number_of(frame) for frame in clip.frames] == list(range(48))
    assert len(clip.waveform) == channels
    assert media.click_times(clip.waveform, 16000, 2) == [0.25, 1.25]


def test_format(media, tmp_path):
    path = write_video(
        tmp_path / "a.mp4",
        pictures(media),
        fps=24,
        waveform=np.zeros(32000),
        sample_rate=16000,
        metadata={"title": "t"},
    )
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt, video.frames) == ("h264", "yuv420p", 48)
        assert (audio.codec_context.name, audio.rate) == ("aac", 16000)
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1)
        assert container.metadata["title"] == "t"
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads


def test_colours_come_back(tmp_path):
    colours = np.array(
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (250, 180, 20)]
    )
    frames = np.repeat(np.repeat(colours[:, None, None], 32, 1), 32, 2).astype(np.uint8)
    clip = read_video(write_video(tmp_path / "a.mp4", frames, fps=4))
    assert np.abs(clip.frames.astype(int) - frames).max() <= 4


@pytest.mark.parametrize("ending", ["mp4", "m4v", "mov", "mkv"])
def test_same_input_same_bytes(media, tmp_path, ending):
    written = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{ending}"
        write_video(path, pictures(media, 8), fps=24, waveform=media.click_track(), sample_rate=16000)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert len(read_video(path).frames) == 8


def test_an_iterator_is_streamed(media, tmp_path):
    taken = []

    def frames():
        for number in range(40):
            taken.append(number)
            yield media.numbered_frame(number)

    whole = write_video(tmp_path / "a.mp4", pictures(media, 40), fps=24)
    assert write_video(tmp_path / "b.mp4", frames(), fps=24).read_bytes() == whole.read_bytes()
    assert taken == list(range(40))


def test_an_older_file_is_replaced_only_by_a_whole_one(media, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def broken():
        yield media.numbered_frame(0)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_video(path, broken(), fps=24)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]
    write_video(path, pictures(media, 2), fps=24)
    assert len(read_video(path).frames) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
def test_an_interruption_leaves_nothing(media, tmp_path, error):
    def interrupted():
        yield from pictures(media, 30)
        assert len(os.listdir(tmp_path)) == 1  # the temporary file, in the same folder
        raise error

    with pytest.raises(error):
        write_video(tmp_path / "a.mp4", interrupted(), fps=24, waveform=np.zeros(32000), sample_rate=16000)
    assert os.listdir(tmp_path) == []


FULL_DISK = """
import os, resource, signal, sys
import numpy as np
from asva_data import MediaError, write_video

folder, limit = sys.argv[1], int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frames = np.random.default_rng(0).integers(0, 255, (24, 64, 64, 3), dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    write_video(folder + "/a.mp4", frames, fps=24, waveform=np.zeros((1, 16000)), sample_rate=16000)
except OSError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a limit on file sizes")
@pytest.mark.parametrize("limit", [0, 10_000, 60_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, limit):
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit)], capture_output=True, text=True)
    assert run.returncode == 1
    assert "File too large" in run.stderr and "a.mp4" in run.stderr and "part" not in run.stderr
    assert run.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_no_space_left_is_one_line_and_leaves_nothing(media, tmp_path, monkeypatch):
    import asva_data.encode as encode

    def full(*args):
        raise av.error.OSError(28, "No space left on device", "a.mp4")

    monkeypatch.setattr(encode, "_to_yuv", full)
    with pytest.raises(OSError, match=r"No space left on device: .*a\.mp4"):
        write_video(tmp_path / "a.mp4", pictures(media, 2), fps=24)
    assert os.listdir(tmp_path) == []


def test_the_folder_must_exist(media, tmp_path):
    with pytest.raises(MediaError, match=r"must lie in an existing folder.*create"):
        write_video(tmp_path / "new" / "a.mp4", pictures(media, 2), fps=24)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("size", [(65, 96), (64, 97), (1, 1)])
def test_odd_sizes_are_refused(tmp_path, size):
    with pytest.raises(MediaError, match=rf"even height and width.*got {size[0]}x{size[1]}"):
        write_video(tmp_path / "a.mp4", np.zeros((2, *size, 3), np.uint8), fps=24)


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (2, 400)])
def test_small_sizes_are_written(tmp_path, size):
    clip = read_video(write_video(tmp_path / "a.mp4", np.zeros((3, *size, 3), np.uint8), fps=24))
    assert clip.frames.shape == (3, *size, 3)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"frames": np.zeros((0, 4, 4, 3), np.uint8)}, "at least one frame"),
        ({"frames": np.zeros((2, 4, 4, 3), np.float32)}, "uint8"),
        ({"frames": np.zeros((2, 3, 4, 4), np.uint8)}, r"\(h, w, 3\)"),
        ({"frames": [np.zeros((4, 4, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)]}, "size of the first"),
        ({"fps": 0}, "`fps`"),
        ({"fps": float("nan")}, "`fps`"),
        ({"fps": "24"}, "`fps`"),
        ({"fps": Fraction(-1)}, "`fps`"),
        ({"crf": 52}, "`crf`"),
        ({"crf": 18.5}, "`crf`"),
        ({"waveform": np.zeros((1, 100))}, "`sample_rate` must be a rate of AAC .*resample"),
        ({"waveform": np.zeros((1, 100)), "sample_rate": 17000}, "`sample_rate`"),
        ({"waveform": np.zeros((9, 100)), "sample_rate": 16000}, "`waveform`"),
        ({"waveform": np.zeros((1, 100), np.int16), "sample_rate": 16000}, "`waveform` must be floats"),
        ({"waveform": np.full((1, 100), np.nan), "sample_rate": 16000}, "NaN"),
        ({"sample_rate": 16000}, "without `waveform`"),
        ({"metadata": {"colour": "red"}}, "`metadata`"),
        ({"path": "a.gif"}, "must end in"),
        ({"path": "a"}, "must end in"),
    ],
)
def test_arguments_are_checked(tmp_path, arguments, match):
    given = {"path": "a.mp4", "frames": np.zeros((2, 4, 4, 3), np.uint8), "fps": 24} | arguments
    with pytest.raises(MediaError, match=match):
        write_video(tmp_path / given.pop("path"), given.pop("frames"), **given)
    assert os.listdir(tmp_path) == []


def test_a_folder_is_no_target(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(MediaError, match="must be a file"):
        write_video(tmp_path / "a.mp4", np.zeros((2, 4, 4, 3), np.uint8), fps=24)
