"""``asva sample --batch``: every row once, whatever fails, is killed or is wrong."""

import csv
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from asva_data import read_video


@pytest.fixture
def batch(asva, small_model):
    """``batch(source, "--steps", 2)``: the small model's videos in the folder `out`."""

    def run(source, *more):
        return asva("sample", "--batch", source, "--output", "out", "--model", small_model, *more)

    return run


@pytest.fixture
def table(inputs, tmp_path):
    """``table({"seed": 1}, ...)``: a CSV of rows, 0.3 s of the good sound each unless they say otherwise."""

    def write(*rows, name="jobs.csv"):
        usual = {"image": inputs / "ball.png", "audio": inputs / "knocks.wav", "duration": 0.3}
        full = [usual | {"output": f"{number}.mp4"} | row for number, row in enumerate(rows, start=1)]
        with open(tmp_path / name, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in full for key in row)))
            writer.writeheader()
            writer.writerows(full)
        return tmp_path / name

    return write


def made(folder="out"):
    """Names of the videos, each of which has its record; the folder holds nothing else."""
    files = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
    videos = sorted(name for name in files if name.endswith(".mp4"))
    assert files == {name.removesuffix("mp4") + ending for name in videos for ending in ("mp4", "json")}
    return videos


def times(folder="out"):
    """When each video was written."""
    return {name: (Path(folder) / name).stat().st_mtime_ns for name in made(folder)}


def test_rows_become_videos_once(asva, batch, table, inputs, small_model, tmp_path, monkeypatch):
    from asva_pipelines.batch import make_batch as models

    loaded, load = [], models.load_pipeline

    def counted(*words, **more):
        loaded.append(words)
        return load(*words, **more)

    monkeypatch.setattr(models, "load_pipeline", counted)
    source = table({"seed": 1}, {"output": "dogs/ü.mp4", "fps": 12}, {"seed": 1, "duration": 3.0, "loop": "true"})
    ran = batch(source, "--seed", 5)
    assert ran.code == 0, ran.err
    assert [line.replace(os.sep, "/") for line in ran.out.split()] == ["out/1.mp4", "out/dogs/ü.mp4", "out/3.mp4"]
    assert "[1 of 3] 1.mp4" in ran.err and "3 videos: 3 made." in ran.err
    assert "[3 of 3], about" in ran.err and "left: 3.mp4" in ran.err
    assert len(loaded) == 1, "the model is loaded once"
    assert made() == ["1.mp4", "3.mp4", "dogs/ü.mp4"], "and nothing else lies there"
    seeds = [json.loads(open(f"out/{name}.json", encoding="utf-8").read())["seed"] for name in ("1", "dogs/ü")]
    assert seeds == [1, 5], "a row counts before the command line"
    assert len(read_video("out/3.mp4").frames) == 72

    before = times()
    again = batch(source, "--seed", 5)
    assert again.code == 0 and not again.out and "3 videos: 3 made before." in again.err
    assert len(loaded) == 1 and times() == before
    single = ("--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", small_model)
    assert asva("sample", *single, "--duration", 3, "--loop", "--seed", 1).code == 0
    assert (read_video("out.mp4").frames == read_video("out/3.mp4").frames).all()


def test_a_folder_of_pictures_and_sounds(batch, inputs, tmp_path, write_ball):
    folder = tmp_path / "in"
    write_ball(folder / "deep" / "ball.mp4", 0.2, 0.5, side=16)
    (folder / "a.png").write_bytes((inputs / "ball.png").read_bytes())
    (folder / "a.wav").write_bytes((inputs / "knocks.wav").read_bytes())
    (folder / "a.txt").write_text("a ball bounces\n", encoding="utf-8")
    assert batch(folder, "--duration", 0.3).code == 0
    assert made() == ["a.mp4", "deep/ball.mp4"]
    assert json.loads(open("out/a.json", encoding="utf-8").read())["prompt"] == "a ball bounces"
    (folder / "b.wav").write_bytes(b"")
    ran = batch(folder, "--duration", 0.3)
    assert ran.code == 2 or ran.code == 1
    assert "'b' of in" in ran.complaint and "`--image` must be given" in ran.complaint
    ran = batch(folder, "--output", folder / "out")
    assert ran.code == 2 and "`--output` must lie outside" in ran.complaint


def test_failures_do_not_stop_the_rest(batch, table, inputs, tmp_path):
    sound = bytearray((inputs / "knocks.wav").read_bytes())
    sound[40:44] = (64000 * 50).to_bytes(4, "little")
    (tmp_path / "lies.wav").write_bytes(sound)
    (tmp_path / "text.wav").write_text("no sound\n" * 9, encoding="utf-8")
    source = table({"audio": "lies.wav", "duration": ""}, {"audio": "text.wav"}, {"seed": 3}, {"keyframes": "0.1,7"})
    for _ in (1, 2):
        ran = batch(source)
        assert ran.code == 1 and made() == ["3.mp4"]
        said = ran.err.splitlines()
        assert "row 1 of jobs.csv (1.mp4)" in said[-3] and "2.00 s of 100.00 s" in said[-3]
        assert "row 2 of jobs.csv (2.mp4)" in said[-2] and "text.wav" in said[-2]
        assert "row 4 of jobs.csv (4.mp4)" in said[-1] and "`--keyframes`" in said[-1]
        assert "3 failed" in said[-4]
        assert ran.err.count("row 1 of jobs.csv (1.mp4)") == 2, "they are tried again, and told when they fail"
    (tmp_path / "text.wav").write_bytes((inputs / "knocks.wav").read_bytes())
    (tmp_path / "lies.wav").write_bytes((inputs / "knocks.wav").read_bytes())
    table({"audio": "lies.wav", "duration": ""}, {"audio": "text.wav"}, {"seed": 3}, {"keyframes": "0.1"})
    assert batch(source).code == 0 and len(made()) == 4


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"imge": "a"}, {"imge": "b"}], ("Row 1 of jobs.csv", "2 of 2 rows", "'imge'", "'image'")),
        ([{}, {"output": "1.mp4"}], ("Row 2", "another than that of row 1 of jobs.csv, got '1.mp4'")),
        ([{"output": "a.mp4"}, {"output": "./A.mp4"}], ("Row 2", "another than that of row 1")),
        ([{}, {"audio": "none.wav"}], ("Row 2", "`--audio` must be an existing file, got 'none.wav'")),
        ([{}, {"image": "none.png"}], ("Row 2", "`--image`", "none.png")),
        ([{}, {"curve": "none.csv"}], ("Row 2", "`--curve`", "none.csv")),
        ([{"output": "../a.mp4"}], ("Row 1", "`output` must be a name in the output folder", "../a.mp4")),
        ([{"output": "/tmp/a.mp4"}], ("Row 1", "`output` must be a name in the output folder")),
        ([{"output": "link/a.mp4"}], ("Row 1", "`output` must be a name in the output folder")),
        ([{"output": ".hidden/a.mp4"}], ("Row 1", "`output` must be a name in the output folder")),
        ([{"output": "a.avi"}], ("Row 1", "`--output` must end in .mp4")),
        ([{"output": ""}], ("Row 1", "`output` must be given")),
        ([{"output": f"{'a' * 300}.mp4"}], ("Row 1", "too long")),
        ([{"seed": "many"}], ("Row 1", "--seed", "valid integer")),
        ([{"steps": "0"}], ("Row 1", "--steps")),
        ([{"loop": "perhaps"}], ("Row 1", "`loop` must be true or false, got 'perhaps'")),
        ([{"yes": "true"}], ("Row 1", "`yes` must be given on the command line")),
        ([{"batch": "x.csv"}], ("Row 1", "`batch` must be given on the command line")),
        ([{"duration": "-1"}], ("Row 1", "--duration")),
        ([{"keyframes": "0.1", "uniform": "yes"}], ("Row 1", "exclude each other")),
        ([{"words": "ball"}], ("Row 1", "`--words` must be left out with the method keyvid")),
        ([{"model": "nowhere"}], ("Row 1", "Model 'nowhere'")),
        ([{"method": "magic"}], ("Row 1", "magic")),
        ([{"audio": ""}], ("Row 1", "`--audio` must be given")),
    ],
)
def test_rows_that_cannot_be(batch, table, tmp_path, rows, words):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "link")
    ran = batch(table(*rows))
    assert ran.code in (1, 2), ran.err
    assert all(word in ran.err for word in words), ran.err
    assert words[0] in ran.complaint and "Traceback" not in ran.err and "Unexpected" not in ran.err
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_another_row_for_a_video_that_is_there(batch, table, tmp_path):
    assert batch(table({}, {})).code == 0
    first = read_video("out/2.mp4").frames
    ran = batch(table({}, {"seed": 3}))
    assert ran.code == 1 and "Row 2" in ran.complaint and "pass --overwrite to make it anew" in ran.complaint
    assert (read_video("out/2.mp4").frames == first).all()
    ran = batch(table({}, {"seed": 3}), "--overwrite")
    assert ran.code == 0 and "1 made, 1 made before" in ran.err
    assert (read_video("out/2.mp4").frames != first).any()
    (tmp_path / "out" / "1.mp4").unlink()
    (tmp_path / "out" / "1.json").unlink()
    assert batch(table({}, {"seed": 3})).code == 0 and (tmp_path / "out" / "1.mp4").is_file()
    (tmp_path / "out" / "3.mp4").write_bytes(b"mine")
    ran = batch(table({}, {"seed": 3}, {}))
    assert ran.code == 1 and "3.mp4' exists: pass --overwrite" in ran.complaint
    assert batch(table({}, {"seed": 3}), "--output", "out/1.mp4").code == 2


def test_a_disk_that_fills_in_the_middle(batch, table, tmp_path, monkeypatch):
    from asva_pipelines.make import make_video as sampling

    write, tries = sampling.write_json, []

    def full(path, record):
        tries.append(path)
        if len(tries) == 2:
            raise OSError(28, "No space left on device", str(path))
        write(path, record)

    source = table({}, {}, {})
    with monkeypatch.context() as patch:
        patch.setattr(sampling, "write_json", full)
        ran = batch(source)
    assert ran.code == 1 and "disk is full" in ran.complaint and "free some space" in ran.complaint
    assert len(tries) == 2, "nothing more is tried"
    assert made() == ["1.mp4"]
    assert batch(source).code == 0 and made() == ["1.mp4", "2.mp4", "3.mp4"]


def test_an_interruption(batch, table, monkeypatch):
    from asva_pipelines import Stages

    begin, seen = Stages.stage, []

    def interrupted(self, name, total=1):
        begin(self, name, total)
        seen.append(name)
        if seen.count("writing") == 2:
            raise KeyboardInterrupt

    source = table({}, {}, {})
    with monkeypatch.context() as patch:
        patch.setattr(Stages, "stage", interrupted)
        ran = batch(source)
    assert ran.code == 130 and made() == ["1.mp4"]
    ran = batch(source)
    assert ran.code == 0 and "1 of 3 videos were made before" in ran.err and made() == ["1.mp4", "2.mp4", "3.mp4"]


def in_a_process(words, folder):
    """`asva` as it is started: what it says, how to kill it, and how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "asva", *words], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    return process.stderr, process.kill, process.wait


def in_a_fork(words, folder):
    """The same in a copy of this process, which has imported everything already."""
    reader, writer = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=run_here, args=(words, folder, writer))
    process.start()
    os.close(writer)

    def wait():
        process.join()
        return process.exitcode

    return os.fdopen(reader, "rb"), process.kill, wait


def run_here(words, folder, writer):
    import torch

    from asva.cli import app

    torch.set_num_threads(1)
    os.chdir(folder)
    sys.stdout, sys.stderr = (
        open(os.devnull, "w", encoding="utf-8"),
        os.fdopen(writer, "w", buffering=1, encoding="utf-8"),
    )
    app(words, prog_name="asva")


def killed(start, words, folder, after):
    """Let `asva` say some lines, and kill it; returns its exit code and what it said."""
    lines, kill, wait = start([str(word) for word in words], folder)
    said = []
    with lines:
        for line in lines:
            said.append(line)
            if len(said) == after:
                time.sleep(random.Random(after).uniform(0.0, 0.2))
                kill()
                break
    return wait(), said


def kills(start, tmp_path, words, count, times, most):
    """A batch that is killed some times at random, and an undisturbed one: each of the same pixels, made once."""
    draw, hit = random.Random(7), 0
    while hit < times:
        code, said = killed(start, [*words, "--output", "out"], tmp_path, draw.randrange(2, most))
        assert code == -signal.SIGKILL, said
        hit += 1
    for folder in ("out", "whole"):
        code, said = killed(start, [*words, "--output", folder], tmp_path, None)
        assert code == 0, said
    assert made(tmp_path / "out") == sorted(f"{number}.mp4" for number in range(1, count + 1)), "and nothing else"
    for number in range(1, count + 1):
        frames = [read_video(tmp_path / folder / f"{number}.mp4").frames for folder in ("out", "whole")]
        assert len(frames[0]) and np.array_equal(*frames)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_kills(table, small_model, tmp_path):
    source = table(*({"seed": number} for number in range(4)))
    kills(in_a_fork, tmp_path, ["sample", "--batch", source, "--model", small_model], 4, 2, 5)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_twenty_videos_and_five_kills(table, tmp_path):
    source = table(*({"seed": number, "duration": 0.3 + 0.02 * number} for number in range(20)))
    kills(in_a_process, tmp_path, ["sample", "--batch", source, "--model", "tiny"], 20, 5, 8)


def test_a_second_batch_is_refused_while_one_lasts(batch, table, tmp_path):
    from asva_data.many import only_run

    source = table({})
    (tmp_path / "out").mkdir()
    with only_run(tmp_path / "out"):
        ran = batch(source)
    assert ran.code == 1 and "must be written by one run at a time, got out, where another is at work" in ran.complaint
    assert batch(source).code == 0 and made() == ["1.mp4"]
