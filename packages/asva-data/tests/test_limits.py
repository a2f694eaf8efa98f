"""Files that ask for more than they should get: channels, pixels, seconds, rates; refused by their headers."""

import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from asva_data import MediaError, iter_frames, probe, read_image
from asva_data.sound import read_sound
from asva_weights.limits import Limits, limits


def write_channels(path, layout, channels, codec):
    """Noise in many channels; interleaved by hand, as PyAV cannot do it from 8 on."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4096, channels)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(noise.reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 32
        stream = container.add_stream(codec, rate=16000, layout=layout)
        container.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
        form = {"aac": "fltp", "wavpack": "s16p"}[codec]
        for part in av.AudioResampler(form, layout, 16000).resample(frame):
            container.mux(stream.encode(part))
        container.mux([*stream.encode(None), *picture.encode(None)])
    return noise.T


@pytest.mark.parametrize(("layout", "channels", "codec"), [("7.1", 8, "aac"), ("22.2", 24, "wavpack")])
def test_many_channels_are_read(tmp_path, layout, channels, codec):
    """Both ended the process: PyAV looks for planes beyond the list that FFmpeg gives it."""
    path = tmp_path / "a.mkv"
    noise = write_channels(path, layout, channels, codec)
    script = "import sys, numpy as np; from asva_data import probe; from asva_data.sound import read_sound\n"
    script += "np.save(sys.argv[2], read_sound(sys.argv[1], probe(sys.argv[1]))[0])"
    subprocess.run([sys.executable, "-c", script, str(path), str(tmp_path / "a.npy")], check=True)
    found = np.load(tmp_path / "a.npy")
    assert len(found) == channels
    if codec == "wavpack":
        np.testing.assert_allclose(found[:, :4000], noise[:, :4000], atol=0.01)  # its encoder keeps 8 bits


def test_too_many_channels_are_refused(tmp_path, monkeypatch):
    write_channels(tmp_path / "a.mkv", "22.2", 24, "wavpack")
    monkeypatch.setattr("asva_weights.limits.limits", lambda: Limits(channels=16))
    with pytest.raises(MediaError, match=r"must have 1 to 16 channels of sound, got 24 in .*a\.mkv"):
        read_sound(tmp_path / "a.mkv", probe(tmp_path / "a.mkv"))


def test_a_large_grey_picture_takes_little_memory(tmp_path):
    """40 million deep greys; as float64 they took 1.7 GB."""
    path = tmp_path / "grey.png"
    Image.fromarray(np.zeros((6400, 6400), np.uint16)).save(path)
    script = "import resource, sys; from asva_data import read_image\n"
    script += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    script += "assert read_image(sys.argv[1]).shape == (6400, 6400, 3)\n"
    script += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
    assert int(done.stdout) / (1 if sys.platform == "darwin" else 1024) < 500


def test_deep_greys_are_scaled_as_before(tmp_path):
    greys = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(greys).save(tmp_path / "grey.png")
    assert np.array_equal(read_image(tmp_path / "grey.png")[..., 1], np.round(greys * (255 / 65535)))


def test_frames_that_stretch_or_stay_without_end_are_refused(media, tmp_path, monkeypatch):
    path = media.write_media(tmp_path / "a.mp4")
    monkeypatch.setattr("asva_data.media.limits", lambda: Limits(pixels=100))
    with pytest.raises(MediaError, match=r"must have frames of at most 100 pixels, got \d+ x \d+ .*a\.mp4"):
        probe(path)
    monkeypatch.undo()
    monkeypatch.setattr("asva_data.decode_pyav.limits", lambda: Limits(seconds=1))
    with pytest.raises(MediaError, match=r"must end within 1 s, got .*a\.mp4 with a frame at \d s"):
        list(iter_frames(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_pipes_and_devices_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero"):
        for read in (read_image, probe):
            with pytest.raises(MediaError, match="must be an existing"):
                read(path)


def test_bounds_are_set_by_the_environment(monkeypatch):
    limits.cache_clear()
    monkeypatch.setenv("ASVA_LIMITS", "pixels=5 channels=2")
    assert limits() == Limits(pixels=5, channels=2)
    limits.cache_clear()
    monkeypatch.setenv("ASVA_LIMITS", "pixel=5")
    with pytest.raises(ValueError, match=r"`ASVA_LIMITS` must be whole numbers of pixels, .*, got pixel=5"):
        limits()
    limits.cache_clear()
