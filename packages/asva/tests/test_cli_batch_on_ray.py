"""``asva sample --batch --workers``: workers of Ray share the rows."""

import importlib.util
import json

import numpy as np
import pytest

from asva_data import read_video

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.fixture
def rows(tmp_path, inputs):
    """A table of four videos, with paths that count from where the command is started."""
    (tmp_path / "ball.png").write_bytes((inputs / "ball.png").read_bytes())
    (tmp_path / "knocks.wav").write_bytes((inputs / "knocks.wav").read_bytes())
    row = {"image": "ball.png", "audio": "knocks.wav", "duration": 0.3}
    lines = [row | {"seed": seed, "output": f"{seed}.mp4"} for seed in range(4)]
    lines[3] |= {"audio": "text.wav"}
    (tmp_path / "text.wav").write_text("no sound\n" * 9, encoding="utf-8")
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return "jobs.jsonl"


def test_workers_share_the_rows(asva, rows, small_model, tmp_path):
    words = ["sample", "--batch", rows, "--model", small_model, "--steps", 1]
    ran = asva(*words, "--output", "out", "--workers", 2)
    assert ran.code == 1 and "3 made, 1 failed" in ran.err and "text.wav" in ran.err, ran.err
    assert sorted(ran.out.split()) == ["out/0.mp4", "out/1.mp4", "out/2.mp4"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0.json", "0.mp4", "1.json", "1.mp4", "2.json", "2.mp4"]
    asva(*words, "--output", "alone")
    for name in ("0.mp4", "1.mp4", "2.mp4"):
        assert np.array_equal(read_video(f"out/{name}").frames, read_video(f"alone/{name}").frames)
    again = asva(*words, "--output", "out", "--workers", 2)
    assert "3 of 4 videos were made before" in again.err and not again.out


def test_one_video_takes_no_workers(asva, inputs):
    ran = asva("sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--workers", 2)
    assert ran.code == 2 and "`--workers` and `--ray-address` must come with `--batch`" in ran.err


def test_no_cluster(asva, rows, small_model):
    ran = asva("sample", "--batch", rows, "--model", small_model, "--output", "out", "--ray-address", "127.0.0.1:1")
    assert ran.code == 1 and "must lead to a Ray cluster, got 127.0.0.1:1" in ran.err


def test_workers_are_not_of_a_row(asva, rows, small_model, tmp_path):
    row = {"image": "ball.png", "audio": "knocks.wav", "output": "a.mp4", "workers": 2}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(row), encoding="utf-8")
    ran = asva("sample", "--batch", rows, "--model", small_model, "--output", "out")
    assert ran.code == 1 and "`workers` must be given on the command line, not in a row" in ran.err
