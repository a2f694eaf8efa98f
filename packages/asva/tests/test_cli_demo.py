"""`asva demo` as a command: what it refuses before it serves, and that it serves until Ctrl-C."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from asva.cli.demo import parse_bytes
from asva_pages import Limits, Settings
from asva_pages.demo.requests import command_line
from asva_pages.demo.work import Work


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--max-upload", "huge"], "`--max-upload` must be a size such as 200MB or 1GB, got 'huge'."),
        (["--max-upload", "0"], "`--max-upload` must be a size"),
        (["--host", "203.0.113.1"], "`--host` and `--port` must be free on this machine, got 203.0.113.1"),
        (["--port", "0", "--model", "nowhere"], "nowhere"),
        (["--workers", "0"], "workers"),
    ],
)
def test_bad_input_is_one_line(asva, words, complaint):
    ran = asva("demo", *words)
    assert ran.code in (1, 2) and complaint in ran.complaint
    assert len(ran.err.strip().splitlines()) == 1


def test_a_port_in_use_is_told(asva):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = asva("demo", "--port", taken.getsockname()[1])
    assert ran.code == 2 and "must be free on this machine" in ran.complaint


def test_models_of_words_and_tracks_have_no_page(asva, method_model):
    ran = asva("demo", "--port", 0, "--model", method_model("mtv"))
    assert ran.code == 2 and "`--model` must make a video of a picture and one sound" in ran.complaint


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
def test_it_serves_until_ctrl_c_and_leaves_nothing(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "asva", "demo", "--port", "0", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        address = json.loads(process.stdout.readline())["address"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with urllib.request.urlopen(address, timeout=120) as answer:
            assert answer.status == 200
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0 and said.splitlines() == ["Ctrl-C ends it.", "Ended."]
    assert not list(tmp_path.glob("asva-demo-*"))


def test_sizes_are_read():
    assert [parse_bytes(text) for text in ("200MB", "1.5 gb", "7")] == [200_000_000, 1_500_000_000, 7]


def test_the_command_line_shown_makes_the_same_video(asva, small_model, inputs, tmp_path):
    settings = Settings(model=str(small_model), folder=small_model, device="cpu", limits=Limits(seconds=3.0))
    given = {"audio": inputs / "knocks.wav", "image": inputs / "ball.png", "prompt": "a ball", "seed": 3}
    given["options"] = {"--steps": 2, "--keyframes": [0.25, 1.5]}
    Work(settings, lambda told: None, lambda: False).make(dict(given), str(tmp_path / "here.mp4"))
    for name in ("knocks.wav", "ball.png"):
        (tmp_path / name).write_bytes((inputs / name).read_bytes())
    words = shlex.split(command_line(given, settings, tmp_path / "there.mp4"))
    assert words[:2] == ["asva", "sample"]
    assert asva(*words[1:], "--device", "cpu").code == 0
    assert (tmp_path / "here.mp4").read_bytes() == (tmp_path / "there.mp4").read_bytes()
