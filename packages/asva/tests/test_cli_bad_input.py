"""Bad input: one clear line that names the thing and the mend, a non-zero exit, nothing left behind.

Input that is only unusual (8 bit, six channels, a picture of one pixel) gives a video, with a remark where it matters.
"""

import json
import os
import shutil
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from asva_data import read_video, write_video

RATE = 16000


@pytest.fixture
def sample(asva, small_model, inputs):
    """Run with good input but for what is given."""

    def run(image=None, audio=None, *more, model=small_model):
        picture, sound = image or inputs / "ball.png", audio or inputs / "knocks.wav"
        return asva("sample", "--image", picture, "--audio", sound, "--model", model, "--output", "out.mp4", *more)

    return run


def refused(ran, folder, *words, code=1, kept=()):
    """One line, the right words, and a folder as it was."""
    assert ran.code == code, ran.err
    lines = [line for line in ran.err.splitlines() if line and not line.startswith("Note:")]
    assert len(lines) == 1, ran.err
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in ran.err and "Unexpected" not in ran.err
    assert sorted(path.name for path in folder.iterdir()) == sorted(kept)


def wav(path, samples, rate=RATE, width=2):
    """PCM of 1 to 4 bytes, samples (s,) or (s, c)."""
    samples = np.asarray(samples, np.float64)
    samples = samples[:, None] if samples.ndim == 1 else samples
    scaled = np.round(np.clip(samples, -1, 1) * (2 ** (8 * width - 1) - 1)).astype("<i4")
    data = (scaled + 128).astype(np.uint8).tobytes() if width == 1 else scaled.view(np.uint8).reshape(-1, 4)[:, :width]
    return riff(path, 1, samples.shape[1], rate, width, data if isinstance(data, bytes) else data.tobytes())


def float_wav(path, samples, rate=RATE):
    return riff(path, 3, 1, rate, 4, np.asarray(samples, "<f4").tobytes())


def riff(path, kind, channels, rate, width, data):
    block = channels * width
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, 8 * width)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def tone(seconds=2.0, rate=RATE):
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def bad(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


@pytest.mark.parametrize("option", ["image", "audio"])
def test_missing_file(sample, bad, tmp_path, option):
    refused(sample(**{option: bad / "none.xyz"}), tmp_path, f"`--{option}`", "none.xyz")


@pytest.mark.parametrize("option", ["image", "audio"])
def test_empty_file(sample, bad, tmp_path, option):
    (bad / "a.bin").write_bytes(b"")
    refused(sample(**{option: bad / "a.bin"}), tmp_path, f"`--{option}`", "a.bin", "empty")


@pytest.mark.parametrize("option", ["image", "audio"])
def test_text_is_neither_picture_nor_sound(sample, bad, tmp_path, option):
    (bad / "a.txt").write_text("Not media at all.\n" * 50, encoding="utf-8")
    refused(sample(**{option: bad / "a.txt"}), tmp_path, f"`--{option}`", "a.txt")


@pytest.mark.parametrize("option", ["image", "audio"])
@pytest.mark.parametrize(
    "content",
    ["ffconcat version 1.0\nfile a.mp4\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.mp4\n#EXT-X-ENDLIST\n"],
    ids=["concat", "hls"],
)
def test_a_playlist_that_is_called_a_video(sample, bad, tmp_path, option, content):
    frames = np.zeros((24, 32, 32, 3), np.uint8)
    write_video(bad / "a.mp4", frames, fps=24, waveform=np.zeros((1, 16000)), sample_rate=RATE)
    (bad / "list.mp4").write_text(content, encoding="utf-8")
    refused(sample(**{option: bad / "list.mp4"}), tmp_path, f"`--{option}`", "list.mp4")


@pytest.mark.parametrize("option", ["image", "audio"])
def test_folder_instead_of_a_file(sample, bad, tmp_path, option):
    refused(sample(**{option: bad}), tmp_path, f"`--{option}`")


def test_truncated_picture(sample, bad, inputs, tmp_path):
    (bad / "cut.png").write_bytes((inputs / "ball.png").read_bytes()[:900])
    refused(sample(image=bad / "cut.png"), tmp_path, "`--image`", "cut.png", "cut short")


def test_truncated_sound(sample, bad, tmp_path):
    write_video(
        bad / "a.mp4", np.zeros((48, 32, 32, 3), np.uint8), fps=24, waveform=np.zeros((1, 32000)), sample_rate=RATE
    )
    (bad / "cut.mp4").write_bytes((bad / "a.mp4").read_bytes()[:3000])
    refused(sample(audio=bad / "cut.mp4"), tmp_path, "`--audio`", "cut.mp4")


def test_video_without_sound(sample, bad, tmp_path):
    write_video(bad / "mute.mp4", np.zeros((48, 32, 32, 3), np.uint8), fps=24)
    refused(sample(audio=bad / "mute.mp4"), tmp_path, "`--audio`", "mute.mp4", "sound")


def test_sound_is_no_picture(sample, inputs, tmp_path):
    refused(sample(image=inputs / "knocks.wav"), tmp_path, "`--image`", "knocks.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers(sample, bad, tmp_path, value):
    samples = tone()
    samples[100] = value
    refused(sample(audio=float_wav(bad / "nan.wav", samples)), tmp_path, "`--audio`", "nan.wav", "NaN")


def test_start_beyond_the_end(sample, tmp_path):
    refused(sample(None, None, "--start", 5), tmp_path, "start", "5")


def test_very_short_and_very_long_sounds(sample, bad):
    ran = sample(audio=wav(bad / "a.wav", tone(0.02, 8000), rate=8000, width=1))
    assert ran.code == 0 and len(read_video("out.mp4").frames) == 1
    path = wav(bad / "b.wav", tone(3600, 8000), rate=8000, width=1)
    ran = sample(None, path, "--start", 3000, "--duration", 1.5, "--overwrite")
    assert ran.code == 0 and "Note" not in ran.err, ran.err
    assert len(read_video("out.mp4").frames) == 36


def test_silence_is_remarked_upon(sample, bad):
    ran = sample(audio=wav(bad / "a.wav", np.zeros(32000)))
    assert ran.code == 0 and "is silent" in ran.err and "--start" in ran.err


@pytest.mark.parametrize("kind", ["8 bit", "24 bit", "float", "5.1"])
def test_sounds_of_every_depth_and_channel_count(sample, bad, kind):
    path = bad / "a.wav"
    if kind == "float":
        float_wav(path, tone())
    elif kind == "5.1":
        wav(path, np.stack([tone()] * 6, axis=1))
    else:
        wav(path, tone(), width=1 if kind == "8 bit" else 3)
    ran = sample(audio=path)
    assert ran.code == 0 and "Note" not in ran.err, ran.err
    clip = read_video("out.mp4")
    assert clip.waveform.shape[0] == (6 if kind == "5.1" else 1)
    assert 0.15 < np.abs(clip.waveform).max() < 0.45


def picture(kind, path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    if kind in ("1x1", "7x5000"):
        width, height = map(int, kind.split("x"))
        Image.new("RGB", (width, height), "red").save(path)
    elif kind == "16 bit":
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(path)
    elif kind == "CMYK":
        path = path.with_suffix(".jpg")
        Image.fromarray(pixels).convert("CMYK").save(path)
    elif kind == "alpha":
        Image.fromarray(np.concatenate([pixels, pixels[..., :1]], axis=2)).save(path)
    else:
        path = path.with_suffix(".jpg")
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(pixels).save(path, exif=exif)
    return path


@pytest.mark.parametrize("kind", ["1x1", "7x5000", "16 bit", "CMYK", "alpha", "EXIF turn"])
def test_pictures_of_every_kind(sample, bad, kind):
    ran = sample(image=picture(kind, bad / "a.png"))
    assert ran.code == 0, ran.err
    assert ("it is enlarged" in ran.err) == (kind in ("1x1", "7x5000"))


def test_a_video_gives_its_first_frame_and_its_sound(sample, bad):
    frames = np.zeros((48, 64, 64, 3), np.uint8)
    frames[1:] = 255
    write_video(bad / "a.mp4", frames, fps=24, waveform=tone()[None], sample_rate=RATE)
    ran = sample(bad / "a.mp4", bad / "a.mp4")
    assert ran.code == 0, ran.err
    assert np.abs(read_video("out.mp4").waveform).max() > 0.1


@pytest.mark.parametrize(
    ("times", "words", "code"),
    [
        ("0.9,0.2", ("`--keyframes`", "sorted", "Sort them"), 1),
        ("0.2,2.5", ("`--keyframes`", "between 0 and 2 s", "2.5"), 1),
        ("-0.1,0.5", ("`--keyframes`", "-0.1"), 1),
        ("0.2,0.21", ("`--keyframes`", "different frames"), 1),
        ("0.2;0.9", ("`--keyframes`", "0.2;0.9"), 2),
        ("0.2,nan", ("`--keyframes`", "nan"), 1),
    ],
)
def test_keyframes_out_of_range_or_unsorted(sample, tmp_path, times, words, code):
    refused(sample(None, None, f"--keyframes={times}"), tmp_path, *words, code=code)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["sample"], ""),
        (["sample", "--image", __file__], "`--audio` must be given"),
        (["sample", "--image", "a", "--audio", "b", "--uniform", "--keyframes", "1"], "exclude each other"),
        (["sample", "--image", "a", "--audio", "b", "--output", "a.avi"], "must end in .mp4"),
        (["sample", "--image", "a", "--audio", "b", "--size", "big"], "`--size` must be height x width"),
        (["sample", "--image", "a", "--audio", "b", "--seed", "x"], "Invalid value for '--seed'"),
        (["sampel"], "No such command 'sampel'"),
    ],
)
def test_wrong_usage(asva, tmp_path, words, complaint):
    ran = asva(*words)
    assert ran.code == 2
    assert complaint in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_output_folder_that_does_not_exist(asva, inputs, small_model, tmp_path):
    words = ("sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", small_model)
    refused(asva(*words, "--output", "no/such/out.mp4"), tmp_path, "no/such", "does not exist", "mkdir -p", code=2)


def test_size_that_the_networks_cannot_make(sample, tmp_path):
    ran = sample(None, None, "--size", "33x32")
    assert ran.code == 1 and "`height` must be a positive multiple of" in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_full_disk(sample, tmp_path):
    resource = pytest.importorskip("resource", reason="limits on file size")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        ran = sample(None, None, "--crf", 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ran.code == 1
    assert "out.mp4" in ran.complaint and "free" in ran.complaint and ".asva-" not in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_full_disk_at_the_record(sample, tmp_path, monkeypatch):
    def full(path, record):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("asva_pipelines.make.make_video.write_json", full)
    ran = sample()
    assert ran.code == 1
    assert ran.complaint.startswith("The disk is full for 'out.json'") and "free some space" in ran.complaint
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def broken(small_model, bad):
    """A copy of the small model to break."""
    return shutil.copytree(small_model, bad / "model")


def test_model_with_a_missing_weight(sample, broken, tmp_path):
    path = broken / "keyframe_unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    del state["conv_out.weight"]
    save_file(state, path)
    refused_after_reading(sample(model=broken), tmp_path, str(broken), "conv_out.weight")


def test_model_with_a_wrong_shape(sample, broken, tmp_path):
    path = broken / "vae" / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    state["decoder.conv_in.weight"] = torch.zeros(1, 1, 3, 3)
    save_file(state, path)
    refused_after_reading(sample(model=broken), tmp_path, str(broken), "decoder.conv_in.weight")


def test_model_that_is_a_pickle(sample, broken, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'pwned'}",)

    (broken / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({"a": Evil()}, broken / "vae" / "diffusion_pytorch_model.bin")
    refused_after_reading(sample(model=broken), tmp_path, str(broken))


def test_model_that_was_cut_short(sample, broken, tmp_path):
    path = broken / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    refused_after_reading(sample(model=broken), tmp_path, str(broken), "damaged")


@pytest.mark.parametrize("content", ["", "{}", "no json", json.dumps({"num_frames": 48})])
def test_model_whose_index_is_damaged(sample, broken, tmp_path, content):
    (broken / "model_index.json").write_text(content, encoding="utf-8")
    refused(sample(model=broken), tmp_path, str(broken), "model_index.json")


def refused_after_reading(ran, folder, *words):
    """As `refused`, but lines of the stages before may stand above the complaint."""
    assert ran.code == 1, ran.err
    for word in words:
        assert word in ran.complaint
    assert "Traceback" not in ran.err and "Unexpected" not in ran.err
    assert list(folder.iterdir()) == []


def test_unknown_model_and_device(sample, tmp_path):
    refused(sample(model="tinny"), tmp_path, "'tinny'", "Did you mean 'tiny'?")
    ran = sample(None, None, "--device", "cuda:99")
    assert ran.code == 1 and "cuda:99" in ran.complaint and "--device cpu" in ran.complaint
    ran = sample(None, None, "--device", "cpu", "--offload", "model")
    assert ran.code == 1 and "`offload` must be none on the CPU" in ran.complaint


def test_a_defect_shows_its_traceback_only_with_debug(sample, monkeypatch):
    def defect(*args, **kwargs):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("asva_pipelines.make.frames.read_picture", defect)
    ran = sample()
    assert ran.code == 1 and "Traceback" not in ran.err and "Unexpected ZeroDivisionError: oops" in ran.complaint
    ran = sample(None, None, "--debug")
    assert ran.code == 1 and "Traceback" in ran.err
