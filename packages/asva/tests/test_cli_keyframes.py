"""``asva keyframes``, ``asva data``, ``asva models`` and the help."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

from asva.cli import app
from asva_data import read_video, write_video


@pytest.fixture(scope="module")
def jumps(tmp_path_factory):
    """A video in which a square jumps at 0.5 s and 1.25 s, without sound."""
    frames = np.full((49, 64, 64, 3), 30, np.uint8)
    noise = np.random.default_rng(0).integers(90, 255, (16, 16, 3), dtype=np.uint8)
    for index in range(49):
        left = 8 + 6 * (index >= 13) + 6 * (index >= 31)
        frames[index, 24:40, left : left + 16] = noise
    return write_video(tmp_path_factory.mktemp("jumps") / "jumps.mp4", frames, fps=24)


def test_keyframes_of_a_sound(asva, inputs, small_model):
    ran = asva("keyframes", inputs / "knocks.wav", "--model", small_model, "--output", "a.json", "--plot", "a.png")
    assert ran.code == 0, ran.err
    assert "predicted from the sound" in ran.err
    record = json.loads(open("a.json", encoding="utf-8").read())
    assert record["from"] == "sound" and record["chosen_by"] == "even"
    assert len(record["motion_curve"]) == 48 and len(record["keyframes"]["indices"]) == 12
    assert Image.open("a.png").size == (1200, 432)
    shown = [int(match) for match in re.findall(r"^\s*\d+\s+(\d+)\s+\d\.\d{3}", ran.out, flags=re.M)]
    assert shown == record["keyframes"]["indices"]


def test_keyframes_of_a_video_lie_where_it_moves(asva, jumps):
    ran = asva("keyframes", jumps, "--output", "a.json", "--plot", "a.png", "--rule", "even")
    assert ran.code == 0, ran.err
    record = json.loads(open("a.json", encoding="utf-8").read())
    assert record["from"] == "motion"
    assert {13, 31} <= set(record["keyframes"]["indices"])
    assert sorted(np.argsort(record["motion_curve"])[-2:]) == [13, 31]


def test_json_prints_what_output_writes(asva, inputs, small_model):
    ran = asva("keyframes", inputs / "knocks.wav", "--model", small_model, "--json", "--output", "a.json")
    assert ran.code == 0 and "predicted from the sound" in ran.err
    assert json.loads(ran.out) == json.loads(open("a.json", encoding="utf-8").read())


def test_a_video_in_which_nothing_moves(asva, tmp_path_factory):
    still = write_video(tmp_path_factory.mktemp("still") / "a.mp4", np.full((48, 32, 32, 3), 90, np.uint8), fps=24)
    ran = asva("keyframes", still)
    assert ran.code == 0 and "nothing moves" in ran.err


def test_keyframes_at_given_times(asva, inputs, small_model):
    ran = asva(
        "keyframes", inputs / "knocks.wav", "--model", small_model, "--keyframes", "0.5,1.0", "--output", "a.json"
    )
    assert ran.code == 0
    assert json.loads(open("a.json", encoding="utf-8").read())["keyframes"]["indices"] == [0, 12, 24]


@pytest.mark.parametrize(
    ("words", "complaint", "code"),
    [
        (["--keyframes", "0.9,0.2"], "`--keyframes` must be sorted", 1),
        (["--num", "49"], "49", 1),
        (["--start", "9"], "9", 1),
        (["--output", "no/a.json"], "Folder 'no' does not exist", 2),
        (["--from", "motion"], "`SOURCE`", 1),
    ],
)
def test_bad_requests(asva, inputs, small_model, tmp_path, words, complaint, code):
    ran = asva("keyframes", inputs / "knocks.wav", "--model", small_model, *words)
    assert ran.code == code and complaint in ran.complaint, ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_sound_has_none_to_listen_to(asva, jumps, small_model):
    ran = asva("keyframes", jumps, "--from", "sound", "--model", small_model)
    assert ran.code == 1 and "`SOURCE`" in ran.complaint and "sound" in ran.complaint


def test_a_missing_source(asva, small_model):
    ran = asva("keyframes", "none.wav", "--model", small_model)
    assert ran.code == 1 and "none.wav" in ran.complaint and len(ran.err.splitlines()) == 1


def test_synthetic_clips(asva, tmp_path):
    ran = asva("data", "synth", "--num", 2, "--seed", 3, "clips")
    assert ran.code == 0 and "2 clips in clips" in ran.out
    videos = sorted((tmp_path / "clips").glob("*.mp4"))
    assert len(videos) == 2
    truth = json.loads(videos[0].with_suffix(".json").read_text(encoding="utf-8"))
    assert truth["caption"] and "event_times" in truth and len(truth["motion_score"]) == 48
    assert read_video(videos[0]).frames.shape == (48, 64, 64, 3)
    ran = asva("data", "synth", "--num", 1, "--seed", 4, "clips")
    assert ran.code == 1 and "choose another folder" in ran.complaint
    ran = asva("data", "synth", "no/such/clips")
    assert ran.code == 1 and "no/such/clips" in ran.complaint


def test_models_are_listed_with_their_licences(asva):
    ran = asva("models", "list")
    assert ran.code == 0
    for words in ("tiny", "keyvid", "mtv", "--method static", "Apache-2.0", "CC BY-NC-SA 4.0"):
        assert words in ran.out
    ran = asva("models", "info", "keyvid")
    assert "epoch=859-step=10320.ckpt" in ran.out and "15.6 GB" in ran.out and "was not released" in ran.out


def test_models_are_told_as_json(asva, small_model):
    told = json.loads(asva("models", "list", "--json").out)
    assert {"method": "static", "needs_model": False} in [
        {name: one[name] for name in ("method", "needs_model")} for one in told["methods"]
    ]
    listed = {one["name"]: one for one in told["models"]}
    assert listed["tiny"]["state"] == "here" and listed["keyvid"]["licence"].startswith("Apache-2.0")
    told = json.loads(asva("models", "info", small_model, "--json").out)
    assert {"keyframe_unet", "vae"} <= {part["name"] for part in told["parts"]}
    assert all(part["parameters"] > 0 and part["bytes"] > 0 for part in told["parts"])
    assert len(json.loads(asva("models", "info", "keyvid", "--json").out)["files"]) >= 4


def test_a_model_folder_is_described(asva, small_model):
    ran = asva("models", "info", small_model)
    assert ran.code == 0 and "keyframe_unet" in ran.out and "localizer" in ran.out


def test_a_download_is_announced_and_not_begun(asva, inputs, monkeypatch):
    monkeypatch.setattr("asva_pipelines.loading.hub.cached_file", lambda file: None)
    ran = asva("sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", "keyvid")
    assert ran.code == 1
    for words in ("31.1 GB", "RyanWW/KeyVID", "CC BY-NC-SA 4.0", "MIT"):
        assert words in ran.err
    assert "--yes" in ran.complaint


@pytest.mark.parametrize("words", [[], ["sample"], ["keyframes"], ["train"], ["data"], ["data", "synth"], ["models"]])
def test_help_has_examples(asva, words):
    ran = asva(*words, "--help")
    assert ran.code == 0
    assert "asva" in ran.out


def test_every_command_speaks_json():
    root = get_command(app)
    commands = dict(root.commands)
    for name, command in root.commands.items():
        commands |= {f"{name} {other}": one for other, one in getattr(command, "commands", {}).items()}
    runs = {name: one for name, one in commands.items() if not hasattr(one, "commands")}
    silent = [name for name, one in runs.items() if "json" not in {option.name for option in one.params}]
    assert len(runs) > 20 and silent == []


def test_version(asva):
    assert re.fullmatch(r"asva \d+\.\d+\.\d+\S*\n", asva("--version").out)


def test_the_module_runs_like_the_command():
    ran = subprocess.run([sys.executable, "-m", "asva", "--version"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and ran.stdout.startswith("asva ")
