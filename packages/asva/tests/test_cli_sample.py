"""``asva sample``: what it writes, says and promises."""

import hashlib
import json
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from PIL import Image

from asva_data import probe, read_video


def sample(inputs, model, *more):
    return (
        "sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", model, *more
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(small_model, inputs, tmp_path_factory):
    """One run with everything beside the video: the folder and what was said."""
    from asva.cli import app

    folder = tmp_path_factory.mktemp("made")
    words = sample(inputs, small_model, "--output", folder / "a.mp4", "--plot", "--strip", "--seed", 3, "--prompt", "ü")
    with pytest.raises(SystemExit) as ended:
        app([str(word) for word in words])
    assert ended.value.code == 0
    return folder


def test_video_has_the_promised_form(made):
    info = probe(made / "a.mp4")
    assert (info.codec, info.fps, info.height, info.width) == ("h264", 24, 16, 16)
    clip = read_video(made / "a.mp4")
    assert clip.frames.shape == (48, 16, 16, 3)
    assert clip.waveform.shape[0] == 1 and clip.sample_rate == 16000
    assert abs(clip.waveform.shape[1] / clip.sample_rate - 2.0) <= 1 / 24


def test_video_says_that_it_is_synthetic(made):
    with av.open(str(made / "a.mp4")) as container:
        assert container.metadata["comment"] == "Synthetic video, made with asva, an AI video generator; method keyvid."


def test_video_carries_the_given_sound(made, knocks):
    clip = read_video(made / "a.mp4")
    heard = clip.waveform[0, :32000]
    assert np.corrcoef(heard, knocks[: len(heard)])[0, 1] > 0.98


def test_record_tells_everything(made, inputs):
    record = json.loads((made / "a.json").read_text(encoding="utf-8"))
    assert record["seed"] == 3 and record["prompt"] == "ü" and record["num_frames"] == 48
    assert record["inputs"]["audio"]["sha256"] == hashlib.sha256((inputs / "knocks.wav").read_bytes()).hexdigest()
    assert len(record["motion_curve"]) == 48
    indices = record["keyframes"]["indices"]
    assert len(indices) == 12 and indices == sorted(set(indices)) and indices[0] == 0
    assert record["keyframes"]["seconds"] == pytest.approx([index / 24 for index in indices])
    assert record["settings"]["num_inference_steps"] == 1 and record["settings"]["crf"] == 18
    assert {"asva-kit", "asva-unet", "torch", "python"} <= record["versions"].keys()
    assert record["memory"]["predicted_bytes"] is None and record["memory"]["measured_bytes"] > 0
    assert {"keyframes", "frames between", "decoding"} <= record["seconds"].keys()
    assert str(made) not in json.dumps(record), "no path of this machine belongs into a record"


def test_plot_and_strip(made):
    assert Image.open(made / "a.plot.png").size == (1200, 432)
    assert Image.open(made / "a.keyframes.png").height == 146
    assert sorted(path.name for path in made.iterdir()) == ["a.json", "a.keyframes.png", "a.mp4", "a.plot.png"]


def test_the_same_seed_gives_the_same_pixels(asva, made, small_model, inputs, tmp_path):
    for seed, name in ((3, "same.mp4"), (4, "other.mp4")):
        assert asva(*sample(inputs, small_model, "--output", name, "--seed", seed, "--prompt", "ü")).code == 0
    first, same, other = (read_video(path).frames for path in (made / "a.mp4", "same.mp4", "other.mp4"))
    assert (first == same).all()
    assert (first != other).any()


def test_stages_memory_and_files_are_told(asva, small_model, inputs):
    ran = asva(*sample(inputs, small_model, "--steps", 2))
    assert ran.code == 0 and ran.out.split() == ["out.mp4", "out.json"]
    for words in ("keyframes, 2 steps", "decoding", "peak memory", "keyframes at 0.00"):
        assert words in ran.err


def test_json_is_the_record_on_stdout(asva, small_model, inputs, tmp_path):
    ran = asva(*sample(inputs, small_model, "--output", "a.mp4", "--json"))
    told = json.loads(ran.out)
    assert told.pop("files") == {"json": "a.json", "video": "a.mp4"}
    assert told == json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) and "peak memory" in ran.err


def test_given_keyframes_are_used(asva, small_model, inputs):
    assert asva(*sample(inputs, small_model, "--keyframes", "0.25,0.875,1.5")).code == 0
    record = json.loads(open("out.json", encoding="utf-8").read())
    assert {0, 6, 21, 36} <= set(record["keyframes"]["indices"])
    assert len(record["keyframes"]["indices"]) == 12 and record["keyframes"]["chosen_by"] == "times given"


def test_uniform_keyframes(asva, small_model, inputs):
    assert asva(*sample(inputs, small_model, "--uniform")).code == 0
    assert json.loads(open("out.json", encoding="utf-8").read())["keyframes"]["indices"] == list(range(0, 48, 4))


def test_existing_files_are_replaced_only_on_demand(asva, small_model, inputs, tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"mine")
    ran = asva(*sample(inputs, small_model))
    assert ran.code == 2 and "'out.mp4' exists: pass --overwrite" in ran.complaint
    assert (tmp_path / "out.mp4").read_bytes() == b"mine"
    assert asva(*sample(inputs, small_model, "--overwrite")).code == 0
    assert (tmp_path / "out.mp4").stat().st_size > 1000


STAGES = ["reading picture and sound", "planning", "loading the model", "listening", "keyframes", "frames between",
          "decoding", "writing"]  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_in_any_stage(asva, small_model, inputs, tmp_path, monkeypatch, stage):
    from asva.cli.progress import ShownStages as Stages

    begin = Stages.stage

    def interrupted(self, name, total=1):
        begin(self, name, total)
        if name == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr(Stages, "stage", interrupted)
    ran = asva(*sample(inputs, small_model))
    assert ran.code == 130
    assert ran.complaint == "Interrupted; no file was left half-written."
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_files_are_written(asva, small_model, inputs, tmp_path, monkeypatch):
    def interrupted(path, record):
        path.write_text("{", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr("asva_pipelines.make.make_video.write_json", interrupted)
    assert asva(*sample(inputs, small_model)).code == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_true_sigint(small_model, inputs, tmp_path):
    words = [str(word) for word in sample(inputs, small_model, "--steps", 1000)]
    # A test run in the background is started with SIGINT ignored, which its children inherit.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from asva.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("loading the model"):
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            break
    said.append(process.communicate(timeout=300)[1])
    assert process.returncode == 130, said
    assert said[-1].strip().splitlines()[-1] == "Interrupted; no file was left half-written."
    assert "Traceback" not in "".join(said)
    assert list(tmp_path.iterdir()) == []
