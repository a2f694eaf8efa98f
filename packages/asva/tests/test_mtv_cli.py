"""``asva sample --method mtv``: tracks, a mix, frames at times; and one line for what cannot be."""

import json
import re
import wave

import pytest

from asva_data import read_video


@pytest.fixture(scope="module")
def sounds(tmp_path_factory, knocks):
    folder = tmp_path_factory.mktemp("sounds")
    samples = {"voice": 0.5 * knocks, "piano": 0.2 * knocks[::-1], "short": knocks[:8000], "empty": knocks[:0]}
    for name, sound in samples.items():
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((32767 * sound).astype("<i2").tobytes())
    return folder


@pytest.fixture
def sample(asva, method_model):
    return lambda *words: asva("sample", "--model", method_model("mtv"), "--output", "out.mp4", *words)


def test_tracks_and_frames_become_a_video(sample, sounds, inputs):
    words = ["--speech", sounds / "voice.wav", "--music", sounds / "piano.wav", "--image", inputs / "ball.png"]
    ran = sample(*words, "--method", "mtv", "--frame", f"1.5={inputs / 'ball.png'}", "--strip", "--plot")
    assert ran.code == 0, ran.err
    assert ran.out.split() == ["out.mp4", "out.frames.png", "out.plot.png", "out.json"]
    assert read_video("out.mp4").frames.shape == (16, 16, 16, 3)
    told = json.loads(open("out.json", encoding="utf-8").read())
    assert told["tracks"] == {"taken_apart_by": "given", "approximate": False}
    assert told["given_frames"] == [0, 12] and told["windows"][-1][1] >= 16 and told["num_frames"] == 16
    assert told["inputs"]["speech"]["name"] == "voice.wav" and told["inputs"]["audio"] is None
    assert str(sounds) not in json.dumps(told)


def test_another_sampler_makes_another_video(sample, sounds):
    made = []
    for sampler in ("own", "dpm++"):
        ran = sample("--effects", sounds / "voice.wav", "--steps", 3, "--sampler", sampler, "--seed", 1, "--overwrite")
        assert ran.code == 0, ran.err
        made.append(read_video("out.mp4").frames)
    assert json.loads(open("out.json", encoding="utf-8").read())["settings"]["sampler"] == "dpm++"
    assert (made[0] != made[1]).any()


def test_a_mix_is_said_to_be_taken_apart_by_masks(sample, sounds):
    ran = sample("--audio", sounds / "voice.wav", "--duration", "1.1")
    assert ran.code == 0, ran.err
    told = json.loads(open("out.json", encoding="utf-8").read())
    assert told["method"] == "mtv" and told["num_frames"] == 9
    assert told["tracks"] == {"taken_apart_by": "masks", "approximate": True}
    assert "masks took the sound apart, approximately" in ran.err


@pytest.mark.parametrize(("seconds", "fps"), [(0.3, 29.97), (1.31, 25), (1.7, 6)])
def test_any_length_and_rate(sample, sounds, seconds, fps):
    assert sample("--effects", sounds / "voice.wav", "--duration", seconds, "--fps", fps, "--steps", 1).code == 0
    clip, exact = read_video("out.mp4"), 30000 / 1001 if fps == 29.97 else fps
    assert len(clip.frames) == round(seconds * exact)
    # AAC ends with a whole block of 1024 samples
    assert abs(clip.waveform.shape[1] / clip.sample_rate - len(clip.frames) / exact) <= 1024 / clip.sample_rate


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "`--audio` must be given, or one of `--speech`"),
        (["--speech", "voice.wav", "--music", "short.wav"], "`music` must be as long as `speech`"),
        (["--speech", "empty.wav"], "`--speech`"),
        (["--audio", "voice.wav", "--frame", "9=voice.wav"], "`--frame` must be at 0 to"),
        (["--audio", "voice.wav", "--frame", "soon"], "`--frame` must be seconds=picture"),
        (["--audio", "voice.wav", "--size", "18x16"], "`height` must be a positive multiple of 8"),
        (["--speech", "voice.wav", "--demix", "short.wav"], "`--demix` must stand beside `--audio` alone"),
    ],
)
def test_bad_input_is_one_line(sample, sounds, words, complaint):
    ran = sample(*(re.sub(r"\w+\.wav", lambda name: str(sounds / name[0]), word) for word in words))
    assert ran.code != 0 and complaint in ran.complaint


def test_tracks_are_for_this_method_alone(asva, sounds, inputs):
    ran = asva("sample", "--speech", sounds / "voice.wav", "--image", inputs / "ball.png", "--output", "out.mp4")
    assert ran.code != 0 and "`--speech` must be left out with the method keyvid: it is for mtv." in ran.complaint


def test_the_released_models_classes_make_a_video(asva, sounds, inputs, method_model, monkeypatch):
    monkeypatch.setenv("ASVA_MEMORY", "3")  # so little that what is needed is worked out
    words = ["--audio", sounds / "voice.wav", "--image", inputs / "ball.png", "--output", "out.mp4"]
    ran = asva("sample", "--model", method_model("mtv-as-released"), *words)
    assert ran.code == 0, ran.err
    assert read_video("out.mp4").frames.shape == (16, 32, 32, 3)
    told = json.loads(open("out.json", encoding="utf-8").read())
    assert told["method"] == "mtv" and told["memory"]["predicted_bytes"] > 0
