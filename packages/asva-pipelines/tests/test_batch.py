"""Rows of a batch, its record, and what a kill at any moment leaves behind."""

import json
import shutil
import threading

import pytest
from filelock import FileLock

from asva_pipelines import read_rows
from asva_pipelines.batch.records import Records
from asva_pipelines.batch.table import TableError
from asva_pipelines.batch.workshop import Workshop


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
        ("a.csv", b'image\n"open\n', "not UTF-8 text in rows"),
        ("a.csv", b"image\n\xff\xfe\n", "not UTF-8 text"),
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


def test_a_record_survives_a_torn_line(tmp_path):
    records = Records(tmp_path / "r.jsonl", tmp_path / "r.lock")
    records.add("a.mp4", "done", "j1")
    with open(tmp_path / "r.jsonl", "ab") as file:
        file.write(b'{"output": "b.mp4", "state": "do')
    again = Records(tmp_path / "r.jsonl", tmp_path / "r.lock")
    assert again.done("a.mp4") == "j1" and again.done("b.mp4") is None
    again.add("b.mp4", "failed", "j2", reason="it")
    records.refresh()
    assert records.failed["b.mp4"]["reason"] == "it" and records.done("a.mp4") == "j1"
    later = Records(tmp_path / "r.jsonl", tmp_path / "r.lock")
    assert not later.failed, "what failed before is tried again"
    assert [
        json.loads(line)["state"] for line in open(tmp_path / "r.jsonl", encoding="utf-8") if line.endswith('"}\n')
    ] == [
        "done",
        "failed",
    ]


@pytest.mark.parametrize("moved", [0, 1, 2])
@pytest.mark.parametrize("recorded", [False, True])
def test_a_kill_while_files_are_moved(tmp_path, moved, recorded):
    shop = Workshop(tmp_path)
    folder = shop.prepare("j")
    for name in ("a.json", "a.mp4"):
        (folder / name).write_text(name, encoding="utf-8")
    shop.seal("j")
    for name in ("a.json", "a.mp4")[:moved]:
        (tmp_path / ".batch" / "j" / "ready" / name).rename(tmp_path / name)
    if recorded and moved == 2:
        shop.records.add("a.mp4", "done", "j")
    again = Workshop(tmp_path)
    if not again.is_done("a.mp4", "j"):
        assert again.is_ready("j")
        again.put("a.mp4", "j")
    assert again.is_done("a.mp4", "j") and not again.is_done("a.mp4", "k")
    again.tidy(["a.mp4"])
    lines = (tmp_path / "batch.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 and (tmp_path / "a.json").read_text(encoding="utf-8") == "a.json"


def test_what_a_kill_leaves_is_made_anew_but_for_windows(tmp_path):
    shop = Workshop(tmp_path)
    folder = shop.prepare("j")
    (folder / ".asva-1").mkdir()
    (folder / "a.mp4.part").mkdir()
    (folder / "a.json").write_text("{", encoding="utf-8")
    assert [path.name for path in shop.prepare("j").iterdir()] == ["a.mp4.part"] and not shop.is_ready("j")


def test_one_process_claims_an_output(tmp_path):
    one, other = Workshop(tmp_path), Workshop(tmp_path)
    with one.claim("a.mp4") as mine, other.claim("a.mp4") as also, other.claim("b.mp4") as free:
        assert mine and not also and free
    with other.claim("a.mp4") as mine:
        assert mine
    one.tidy(["a.mp4", "b.mp4"])
    assert not (tmp_path / ".batch").exists()


def test_a_folder_that_is_taken_away_while_one_waits(tmp_path):
    """As by the process that has made the last video, while another still waits for it."""
    shop = Workshop(tmp_path)

    def finish():
        shutil.rmtree(shop.work)
        held.release()

    held = FileLock(shop._lock("a.mp4"), thread_local=False)
    held.acquire()
    timer = threading.Timer(0.2, finish)
    timer.start()
    with shop.claim("a.mp4", seconds=20.0) as mine:
        assert mine and shop.work.is_dir()
    timer.join()
