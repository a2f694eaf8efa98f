"""Rows of a batch, and what is done and what is not, whatever is killed and when."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import pytest

from asva_data import MediaError
from asva_data.many import only_run
from asva_pipelines import Request, make_batch, read_rows
from asva_pipelines.batch.make_batch import _Maker
from asva_pipelines.batch.table import TableError
from asva_pipelines.make.targets import check_targets


def test_rows_of_tables(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffimage,interp_steps, output\na.png,3,a.mp4\n\n,,b.mp4\n", encoding="utf-8")
    first, second = read_rows(tmp_path / "a.csv")
    assert first.name == "row 1 of a.csv" and first.values == {"image": "a.png", "interp-steps": "3", "output": "a.mp4"}
    assert second.name == "row 2 of a.csv" and second.values == {"output": "b.mp4"}
    (tmp_path / "a.jsonl").write_text(
        '{"seed": 3, "loop": true, "frame": ["1=a.png"], "audio": null}\n\n', encoding="utf-8"
    )
    assert read_rows(tmp_path / "a.jsonl")[0].values == {"seed": 3, "loop": True, "frame": ["1=a.png"]}


def test_rows_of_a_folder(tmp_path):
    names = ("a.png", "a.wav", "a.txt", "dogs/b.mp4", "c.mp4", "c.flac", ".hidden.wav", "notes.txt", "d.md")
    (tmp_path / "dogs").mkdir()
    for name in names:
        (tmp_path / name).write_text(" a ball\n", encoding="utf-8")
    rows = {row.values["output"]: row.values for row in read_rows(tmp_path)}
    assert rows.keys() == {"a.mp4", "c.mp4", "dogs/b.mp4"}
    assert rows["a.mp4"]["image"].endswith("a.png") and rows["a.mp4"]["prompt"] == "a ball"
    assert rows["c.mp4"]["image"].endswith("c.mp4") and rows["c.mp4"]["audio"].endswith("c.flac")
    assert rows["dogs/b.mp4"]["image"] == rows["dogs/b.mp4"]["audio"]
    (tmp_path / "a.jpg").write_text("", encoding="utf-8")
    with pytest.raises(TableError, match=r"a.jpg' and '.*a.png' have one name"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "at least one row"),
        ("a.csv", b"image,image\n1,2\n", "'image' twice"),
        ("a.csv", b"interp-steps,interp_steps\n1,2\n", "'interp-steps' twice"),
        ("a.csv", b"image,\n1,2\n", "a column without a name"),
        ("a.csv", b"image,audio\na,b\na,b,c\n", "row 2 of a.csv must have 2 cells like the header, got 3"),
        ("a.csv", b'image\n"open\n', "must be UTF-8 text in rows"),
        ("a.csv", b"image\n\xff\xfe\n", "must be UTF-8 text"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "row 2 of a.jsonl is not valid JSON"),
        ("a.jsonl", b"[1]\n", "row 1 of a.jsonl must be an object"),
        ("a.jsonl", b'{"a-b": 1, "a_b": 2}\n', "name each option once"),
        ("a.txt", b"image\n", "must be an existing .csv, .jsonl or folder"),
    ],
)
def test_tables_that_cannot_be(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=words):
        read_rows(tmp_path / name)


# What `make_batch` asks of a job, without a model: files of a few bytes.


@dataclass(frozen=True)
class FakeJob:
    request: Request
    targets: dict
    overwrite: bool = False
    made: ClassVar = Counter()
    kill: ClassVar = ""  # after which file of a video the process dies

    @property
    def video(self):
        return self.targets["video"]

    def check(self):
        pass

    def digest(self):
        return f"seed {self.request.seed}"

    def make(self, load):
        load("a model", method="keyvid")
        self.made[self.video.name] += 1
        check_targets(list(self.targets.values()), self.overwrite)
        content = self.digest() * 9
        record = {"job": {"sha256": self.digest(), "video_bytes": len(content)}}
        for name, text in (("json", json.dumps(record)), ("video", content)):
            self.targets[name].write_text(text, encoding="utf-8")
            if name == self.kill:
                raise KeyboardInterrupt


@pytest.fixture
def batch(tmp_path, monkeypatch):
    """``batch(seed, ...)`` makes 1.mp4, 2.mp4 and so on; returns its exit code and what was made now."""
    loaded = []
    monkeypatch.setattr("asva_pipelines.batch.make_batch.load_pipeline", lambda model, **more: loaded.append(model))
    FakeJob.made.clear()

    def read(values, video):
        targets = {"json": video.with_suffix(".json"), "video": video}
        return FakeJob(Request(seed=values["seed"]), targets, bool(values.get("overwrite")))

    def run(*seeds, overwrite=False):
        rows = [{"seed": s, "output": f"{n}.mp4", "overwrite": overwrite} for n, s in enumerate(seeds, start=1)]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        made = []
        try:
            code = make_batch(tmp_path / "rows.jsonl", tmp_path / "out", read, made.append)
        finally:
            run.loaded = len(loaded)
        return code, [path.name for path in made]

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_record_of_a_video_says_that_it_is_done(batch, tmp_path):
    assert batch(1, 2) == (0, ["1.mp4", "2.mp4"]) and batch.loaded == 1
    assert sorted(contents(tmp_path / "out")) == ["1.json", "1.mp4", "2.json", "2.mp4"], "and nothing else lies there"
    assert batch(1, 2) == (0, [])
    (tmp_path / "out" / "1.mp4").unlink()
    assert batch(1, 2, 3) == (0, ["1.mp4", "3.mp4"])
    with pytest.raises(TableError, match=r"Row 2 .*'2.mp4' was made by other options or files than these"):
        batch(1, 5, 3)
    assert batch(1, 5, 3, overwrite=True) == (0, ["2.mp4"])
    (tmp_path / "out" / "4.mp4").write_bytes(b"mine")
    with pytest.raises(TableError, match=r"Row 4 .*4.mp4' exists: pass --overwrite or another name"):
        batch(1, 5, 3, 4)
    (tmp_path / "out" / "4.json").write_text('{"job": [', encoding="utf-8")
    with pytest.raises(TableError, match=r"4.mp4' exists"):
        batch(1, 5, 3, 4)
    assert FakeJob.made == {"1.mp4": 2, "2.mp4": 2, "3.mp4": 1}


@pytest.mark.parametrize("after", ["json", "video"])
@pytest.mark.parametrize("before", [None, 7])
def test_a_kill_while_files_are_moved(batch, tmp_path, monkeypatch, after, before):
    """Also where the record is of this job and the video still of the one before."""
    overwrite = before is not None
    if overwrite:
        batch(before)
    with monkeypatch.context() as patch:
        patch.setattr(FakeJob, "kill", after)
        with pytest.raises(KeyboardInterrupt):
            batch(1234, overwrite=overwrite)
    made = batch(1234, overwrite=overwrite)[1]
    assert made == (["1.mp4"] if after == "json" else []), "what is whole is not made again"
    assert contents(tmp_path / "out")["1.mp4"] == b"seed 1234" * 9


def test_drafts_that_a_kill_leaves_are_swept_and_others_are_not(batch, tmp_path):
    for folder, name in ((".asva-1", "1.mp4"), (".asva-2", "other.mp4")):
        draft = tmp_path / "out" / folder / "0" / name
        draft.parent.mkdir(parents=True)
        draft.write_bytes(b"half")
    batch(1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".asva-2", "1.json", "1.mp4"]


def test_a_second_batch_is_refused_while_one_lasts(batch, tmp_path):
    batch(1)
    with only_run(tmp_path / "out"), pytest.raises(MediaError, match="must be written by one run at a time"):
        batch(1, 2)
    assert batch(1, 2) == (0, ["2.mp4"])


def test_models_are_kept_for_the_next_video_and_let_go_before_others(monkeypatch):
    loaded = []
    monkeypatch.setattr("asva_pipelines.batch.make_batch.load_pipeline", lambda model, **more: loaded.append(model))
    maker = _Maker()

    def make(*models):
        maker.used.clear()
        for model in models:
            maker.load(model, method="keyvid")
        return sorted(key[0] for key in maker.loaded)

    assert make("a", "b") == make("a", "b") == ["a", "b"] and loaded == ["a", "b"]
    assert make("a") == ["a", "b"], "nothing else had to be loaded"
    assert make("c") == ["c"] and loaded == ["a", "b", "c"]
