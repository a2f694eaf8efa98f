"""``asva sample`` at any length and rate, with what changes over time; resumed where it stopped."""

import json
import os
import re

import numpy as np
import pytest

from asva_data import read_video

RATE = 16000


@pytest.fixture
def sample(asva, inputs, small_model):
    """``sample(1.5, "--fps", 25)``: a video of 1.5 s of sound by the small model."""

    def run(seconds, *more, output="out.mp4"):
        files = ("sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", small_model)
        length = () if seconds is None else ("--duration", seconds, "--loop")
        return asva(*files, "--output", output, *length, *more)

    return run


def record(name="out.json"):
    return json.loads(open(name, encoding="utf-8").read())


TWELVE = [
    ("keyvid", 0.3, 29.97),
    ("keyvid", 0.31, 6),
    ("keyvid", 2.05, 24),
    ("keyvid", 4.01, 25),
    ("avsyncd", 0.77, 12),
    ("avsyncd", 3.2, 29.97),
    ("i2vd", 2.5, 25),
    ("audio-window", 3.1, 24),
    ("dynamicrafter", 1.33, 6),
    ("aadiff", 1.0, 24),
    ("mtv", 1.71, 12),
    ("static", 29.9, 29.97),
]


def as_long_as_asked(asva, inputs, method, model, seconds, fps):
    """Whether sound and picture of the written file end together at the second asked for, by what a decoder counts."""
    words = ["--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--method", method]
    words += [] if method == "static" else ["--model", model]
    words += ["--size", "16x16"] if method in ("static", "aadiff") else []  # which have none of their own
    words += ["--prompt", "a ball bounces", "--words", "ball"] if method == "aadiff" else []
    if method == "mtv":  # it hears silence behind the end of a sound
        words += ["--prompt", "a ball"]
    else:
        words += ["--loop"]
    words += [] if method == "static" else ["--steps", 1]
    ran = asva("sample", *words, "--duration", seconds, "--fps", fps)
    assert ran.code == 0, ran.err
    exact = 30000 / 1001 if fps == 29.97 else fps
    clip, told = read_video("out.mp4"), record()
    assert len(clip.frames) == round(seconds * exact) == told["num_frames"]
    assert told["duration"] == pytest.approx(len(clip.frames) / exact)
    # AAC ends with a whole block of 1024 samples
    assert abs(clip.waveform.shape[1] / clip.sample_rate - len(clip.frames) / exact) <= 1024 / RATE


@pytest.mark.parametrize(("method", "seconds", "fps"), TWELVE)
def test_twelve_lengths_to_the_frame(asva, inputs, method_model, method, seconds, fps):
    as_long_as_asked(asva, inputs, method, None if method == "static" else method_model(method), seconds, fps)


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "fps"), [row[1:] for row in TWELVE if row[0] == "keyvid"])
def test_lengths_of_the_bundled_model(asva, inputs, seconds, fps):
    as_long_as_asked(asva, inputs, "keyvid", "tiny", seconds, fps)


def test_a_video_is_as_long_as_its_sound(sample, inputs):
    assert sample(None).code == 0
    assert len(read_video("out.mp4").frames) == 48
    assert sample(None, "--start", 0.75, "--overwrite").code == 0
    assert len(read_video("out.mp4").frames) == 30
    ran = sample(None, "--duration", 2.5, "--overwrite")
    assert ran.code == 0 and "the last 0.50 s of the video are silent" in ran.err
    assert np.abs(read_video("out.mp4").waveform[:, 33000:]).max() < 0.01


def test_windows_drift_and_keyframes_are_told(sample):
    assert sample(5.0, "--plot", "--strip").code == 0
    told = record()
    each = told["windows"]["each"]
    assert len(each) >= 3 and each[0]["keep"][0] == 0 and each[-1]["keep"][1] == 120
    assert all({"colour", "contrast", "sharpness"} == window["drift"].keys() for window in each)
    assert len(told["motion_curve"]) == 120 and told["motion_fps"] == 24
    seconds = told["keyframes"]["seconds"]
    assert seconds == sorted(set(seconds)) and seconds[-1] < 5.0


def test_the_anchor_can_be_let_go(sample):
    frames = []
    for more in ((), ("--no-anchor",)):
        assert sample(4.0, *more, "--overwrite").code == 0
        frames.append(read_video("out.mp4").frames)
    first = record()["windows"]["each"][0]["keep"][1]
    assert (frames[0][:first] == frames[1][:first]).mean() > 0.99 and (frames[0] != frames[1]).any()


def test_an_interrupted_video_goes_on(sample, tmp_path, monkeypatch):
    from asva_pipelines import LongVideo

    assert sample(5.0, output="whole.mp4").code == 0
    make, made = LongVideo._make, []

    def interrupted(self, index, border):
        made.append(index)
        if len(made) == 3:
            raise KeyboardInterrupt
        return make(self, index, border)

    monkeypatch.setattr(LongVideo, "_make", interrupted)
    assert sample(5.0).code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4.part", "whole.json", "whole.mp4"]
    ran = sample(5.0)
    assert ran.code == 0 and "2 of" in ran.err and "going on" in ran.err
    assert made[:4] == [0, 1, 2, 2], "what was finished is not made again"
    assert (read_video("out.mp4").frames == read_video("whole.mp4").frames).all()
    assert record()["windows"]["resumed"] == 2
    assert not (tmp_path / "out.mp4.part").exists()


def test_another_command_does_not_go_on(sample, tmp_path, monkeypatch):
    from asva_pipelines import LongVideo

    make, made = LongVideo._make, []

    def interrupted(self, index, border):
        made.append(index)
        if len(made) == 2:
            raise KeyboardInterrupt
        return make(self, index, border)

    monkeypatch.setattr(LongVideo, "_make", interrupted)
    assert sample(4.0).code == 130
    assert sample(4.0, "--seed", 1).code == 0
    assert made[2] == 0, "another seed is another video"


@pytest.mark.skipif(os.name != "posix", reason="limits on file size")
def test_a_disk_that_fills_in_the_middle(sample, tmp_path, monkeypatch):
    from asva_pipelines.long.folder import PartFolder

    save = PartFolder.save

    def full(self, index, latents):
        if index == 1:
            raise OSError(28, "No space left on device", str(self.path))
        save(self, index, latents)

    with monkeypatch.context() as patch:
        patch.setattr(PartFolder, "save", full)
        ran = sample(4.0)
    assert ran.code == 1 and "disk is full" in ran.complaint and "free some space" in ran.complaint
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4.part"]
    assert sample(4.0).code == 0 and record()["windows"]["resumed"] == 1


def test_a_separate_sound_moves_the_picture(sample, inputs, tmp_path):
    from asva_data import write_video

    quiet = write_video(tmp_path / "quiet.mp4", np.zeros((48, 16, 16, 3), np.uint8), fps=24,
                        waveform=np.zeros((1, 32000), np.float32), sample_rate=RATE)  # fmt: skip
    curves = []
    for more in ((), ("--control-audio", quiet)):
        assert sample(2.0, *more, "--overwrite").code == 0
        curves.append(np.array(record()["motion_curve"]))
        assert np.abs(read_video("out.mp4").waveform).max() > 0.1
    assert np.abs(curves[0] - curves[1]).max() > 0 and record()["inputs"]["audio"]["control"]["name"] == "quiet.mp4"


def test_a_curve_goes_out_and_comes_back(asva, sample, inputs, small_model):
    assert asva("keyframes", inputs / "knocks.wav", "--model", small_model, "--output", "a.csv").code == 0
    assert asva("keyframes", inputs / "knocks.wav", "--model", small_model, "--output", "a.json").code == 0
    assert sample(None).code == 0
    plain = record()
    for name in ("a.csv", "a.json"):
        assert sample(None, "--curve", name, "--keyframes", name, "--overwrite").code == 0
        assert record()["motion_curve"] == pytest.approx(plain["motion_curve"], abs=1e-5)
        assert record()["keyframes"]["indices"] == plain["keyframes"]["indices"]
    assert (
        sample(None, "--curve", "out.json", "--gain", 2, "--threshold", 0.1, "--release", 0.1, "--overwrite").code == 0
    )
    told = record()
    assert told["over_time"]["gain"] == 2 and told["over_time"]["curve"]["name"] == "out.json"


def test_prompts_and_strength_over_time(sample, tmp_path):
    (tmp_path / "p.csv").write_text("second,prompt\n1.0,a ball\n2.5,bounces\n", encoding="utf-8")
    assert sample(4.0, "--prompt-at", "p.csv", "--prompt-at", "3=ball", "--guidance-at", "0=1,2=4").code == 0
    told = record()
    begins = [window["keep"][0] for window in told["windows"]["each"]]
    assert {24, 60, 72} <= set(begins)
    assert told["over_time"]["prompt_at"] == [[1.0, "a ball"], [2.5, "bounces"], [3.0, "ball"]]
    steered = read_video("out.mp4").frames
    assert sample(4.0, "--prompt-at", "p.csv", "--prompt-at", "3=ball", "--overwrite").code == 0
    assert (read_video("out.mp4").frames != steered).any()


@pytest.mark.parametrize(
    ("more", "words", "code"),
    [
        (("--start", 9), ("9", "start"), 1),
        (("--duration", -1), ("--duration",), 2),
        (("--duration", 0), ("`--duration` must be a positive",), 2),
        (("--loop",), ("`--loop` must have a `--duration`",), 2),
        (("--keyframes", "0.5,2.5"), ("`--keyframes`", "between 0 and 2 s"), 1),
        (("--prompt-at", "7=ball"), ("`--prompt-at` must lie within the video", "7"), 1),
        (("--prompt-at", "ball"), ("`--prompt-at` must be a time", "ball"), 1),
        (("--guidance-at", "0=1,9=2"), ("`--guidance-at` must lie within", "9"), 1),
        (("--guidance-at", "0=x"), ("`--guidance-at` must be times and numbers",), 1),
        (("--guidance-at", "0=2", "--guidance", 2), ("exclude each other",), 2),
        (("--curve", "long.csv"), ("long.csv", "must be as long as the video, 2.00 s, got 3.00 s"), 1),
        (("--curve", "nan.csv"), ("nan.csv", "finite numbers, got nan as value 1"), 1),
        (("--curve", "none.csv"), ("none.csv",), 1),
        (("--curve", "words.json"), ("words.json", "not valid JSON"), 1),
        (("--gain", "-1"), ("--gain",), 2),
        (("--control-audio", "none.wav"), ("`--control-audio`", "none.wav"), 1),
    ],
)
def test_what_cannot_be(sample, tmp_path, more, words, code):
    rows = [f"{index / 24:.6f},{index % 2}" for index in range(72)]
    (tmp_path / "long.csv").write_text("second,motion\n" + "\n".join(rows), encoding="utf-8")
    (tmp_path / "nan.csv").write_text("second,motion\n0,0\n0.5,nan\n1,0\n1.5,1\n", encoding="utf-8")
    (tmp_path / "words.json").write_text("{motion", encoding="utf-8")
    ran = sample(None, *more)
    assert ran.code == code, ran.err
    assert all(word in ran.complaint for word in words), ran.complaint
    assert not list(tmp_path.glob("out*"))


def test_a_header_that_lies(asva, inputs, small_model, tmp_path):
    sound = bytearray((inputs / "knocks.wav").read_bytes())
    sound[40:44] = (64000 * 50).to_bytes(4, "little")
    (tmp_path / "lies.wav").write_bytes(sound)
    files = ("--image", inputs / "ball.png", "--audio", tmp_path / "lies.wav", "--model", small_model)
    ran = asva("sample", *files)
    assert ran.code == 1 and "truncated" in ran.complaint and "2.00 s of 100.00 s" in ran.complaint
    assert asva("sample", *files, "--duration", 1.5).code == 0
    assert len(read_video("out.mp4").frames) == 36


def test_a_header_that_states_too_little(asva, inputs, small_model, tmp_path):
    sound = bytearray((inputs / "knocks.wav").read_bytes())
    sound[40:44] = (32000).to_bytes(4, "little")  # of 64000 bytes
    (tmp_path / "lies.wav").write_bytes(sound)
    ran = asva("sample", "--image", inputs / "ball.png", "--audio", tmp_path / "lies.wav", "--model", small_model)
    assert ran.code == 0, ran.err
    clip = read_video("out.mp4")
    assert len(clip.frames) == 24 and abs(clip.waveform.shape[1] - RATE) <= 1024


# Where a length stands in a box of MP4, in bytes behind its name.
LENGTHS = {b"mvhd": 16, b"tkhd": 20, b"mdhd": 16, b"elst": 8}


@pytest.mark.parametrize(("factor", "seconds"), [(0.5, 1.0), (50, 2.048)])
def test_an_mp4_whose_headers_lie(asva, inputs, small_model, tmp_path, write_ball, factor, seconds):
    """What they leave out is not shown; of what there is not, its blocks tell the truth, the last one whole or cut."""
    content = bytearray(write_ball(tmp_path / "ball.mp4", 0.2, 2.0, side=16).read_bytes())
    for box, behind in LENGTHS.items():
        for place in [match.end() + behind for match in re.finditer(box, content)]:
            length = round(int.from_bytes(content[place : place + 4], "big") * factor)
            content[place : place + 4] = length.to_bytes(4, "big")
    (tmp_path / "lies.mp4").write_bytes(content)
    ran = asva("sample", "--image", inputs / "ball.png", "--audio", tmp_path / "lies.mp4", "--model", small_model)
    assert ran.code == 0, ran.err
    clip = read_video("out.mp4")
    frames, samples = round(24 * seconds), seconds * RATE
    assert abs(len(clip.frames) - frames) <= (factor > 1) and abs(clip.waveform.shape[1] - samples) <= 1024
