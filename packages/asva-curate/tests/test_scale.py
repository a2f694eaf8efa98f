"""Runs over many files: nothing finished is lost or done twice, whatever is killed or full."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from asva_curate import Item, Journal, Records, Worker, item_key, run_items, scan, seal
from asva_data import MediaError, TarShards


def items(count):
    return [Item(f"{number:04x}", f"{number}.mp4", facts={"n": number}) for number in range(count)]


def square(folder=None, stop_at=None):
    """Work that notes each item it is asked for, and may stop its process."""

    def work(item):
        if folder is not None:
            with (Path(folder) / "asked").open("a", encoding="utf-8") as file:
                file.write(f"{item.key}\n")
        number = item.facts["n"]
        if number == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if number % 20 == 7:
            raise ValueError(f"`path` must be good, got {item.path}.")
        return {"bin": bytes([number]) * number, "json": {"square": number**2}}

    return work


def full_after(count):
    """A stand-in for os-level writes: the disk is full after so many samples, in the middle of one."""
    left = [count]

    def write(file, data):
        left[0] -= 1
        if left[0] < 0:
            file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file.write(data)

    return write


def test_a_torn_sample_is_none(tmp_path):
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append(f"k{number}", {"json": {"n": number}, "bin": b"x" * 700})
    whole = journal.path.read_bytes()
    assert scan(journal.path)[1] == len(whole) == journal.size
    for length in (len(whole) - 1, len(whole) - 600, len(whole) - 1100, len(whole) // 3 + 1):
        journal.path.write_bytes(whole[:length])
        keys = list(Records(tmp_path))
        assert keys == (["k0", "k1"] if length > len(whole) * 2 // 3 else ["k0"])
    journal.path.write_bytes(whole[:-600] + bytes(600))  # a torn tail of zeros
    assert len(Records(tmp_path)) >= 2


def test_everything_is_done_once_and_accounted_for(tmp_path):
    seen = []
    records = run_items(items(40), tmp_path, square, {}, on_done=seen.append)
    assert seen == list(range(41)) and len(records) == 40
    failed = [key for key in records if "failure" in records.facts(key)]
    assert failed == ["0007", "001b"]
    assert records.facts("0003") == {"square": 9} and records.read("0003", "bin") == b"\3\3\3"
    assert records.read("0007", "bin") is None
    again = run_items(items(42), tmp_path, partial(square, tmp_path), {})
    assert (tmp_path / "asked").read_text(encoding="utf-8").split() == ["0028", "0029"] and len(again) == 42


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("asva_curate.scale.journal._write", full_after(5))
    with pytest.raises(OSError, match="No space left") as stopped:
        run_items(items(20), tmp_path, square, {})
    assert stopped.value.errno == errno.ENOSPC
    assert len(Records(tmp_path)) == 5
    (journal,) = tmp_path.glob("part-*.tar")
    assert scan(journal)[1] == journal.stat().st_size  # the half sample was cut off again
    monkeypatch.undo()
    records = run_items(items(20), tmp_path, partial(square, tmp_path), {})
    assert len(records) == 20 and len((tmp_path / "asked").read_text(encoding="utf-8").split()) == 15


def test_a_killed_driver_goes_on_behind_what_was_finished(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from functools import partial
from test_scale import items, square
from asva_curate.scale import run_items
run_items(items(30), {str(tmp_path)!r}, partial(square, {str(tmp_path)!r}, stop_at=17), {{}})
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL and len(Records(tmp_path)) == 17
    records = run_items(items(30), tmp_path, partial(square, tmp_path), {})
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert len(records) == 30 and len(asked) == 31 and asked.count("0011") == 2
    assert not list(tmp_path.glob("trying-*"))


def test_a_block_goes_on_behind_what_its_dead_worker_finished(tmp_path):
    block = items(4)
    (tmp_path / "trying-r").mkdir()
    (tmp_path / "trying-r" / block[0].key).write_text("0000\n0001\n0001\n", encoding="utf-8")
    worker = Worker(tmp_path, "r", partial(square, tmp_path), attempts=2)
    found = list(worker.process(block))
    assert [outcome.key for outcome in found] == [item.key for item in block]
    assert found[1].failure == "it killed its worker 2 times"
    assert (tmp_path / "asked").read_text(encoding="utf-8").split() == ["0002", "0003"]
    assert not list((tmp_path / "trying-r").iterdir())


def test_seal_keeps_each_wanted_sample_once(tmp_path):
    journals, folder = tmp_path / "records", tmp_path / "shards"
    folder.mkdir()
    run_items(items(6), journals, square, {})
    twice = Journal(journals)
    for key in ("0002", "0002", "00ff", "0009"):  # another worker's, one of them old, one again
        twice.append(key, {"json": {}})
    wanted = {f"{number:04x}" for number in range(16)}
    shards = seal(journals, folder, wanted)
    assert [path.name for path in shards] == ["shard-000000.tar", "shard-000001.tar"]
    assert sorted(TarShards(shards).keys) == ["0000", "0001", "0002", "0003", "0004", "0005", "0009"]
    run_items(items(9), journals, square, {})
    assert len(TarShards(seal(journals, folder, wanted)).keys) == 9 - 1 + 1  # one of them fails, one was there
    assert not list(journals.glob("part-*"))


def test_settings_and_workers_are_checked(tmp_path):
    run_items(items(1), tmp_path, square, {"rate": 12})
    with pytest.raises(MediaError, match="`settings` must be those of the records"):
        run_items(items(1), tmp_path, square, {"rate": 6})
    with pytest.raises(MediaError, match="`workers` must be at least 1"):
        run_items(items(1), tmp_path, square, {"rate": 12}, workers=0)


def test_workers_need_ray(tmp_path, monkeypatch):
    monkeypatch.setattr("asva_curate.scale.on_ray.find_spec", lambda name: None)
    with pytest.raises(MediaError, match=r"asva-data\[scale\]"):
        run_items(items(2), tmp_path, square, {}, workers=2)


def test_keys_follow_place_and_size(tmp_path):
    for name, size in (("a b", 3), ("über", 3), ("c", 4)):
        (tmp_path / name).write_bytes(bytes(size))
    keys = {item_key(path, tmp_path) for path in tmp_path.iterdir()}
    assert len(keys) == 3 and all(len(key) == 16 for key in keys)
    before = item_key(tmp_path / "c", tmp_path)
    os.utime(tmp_path / "c", (time.time(), 0))
    assert item_key(tmp_path / "c", tmp_path) == before
    (tmp_path / "c").write_bytes(bytes(5))
    assert item_key(tmp_path / "c", tmp_path) != before


def test_json_of_items_comes_back(tmp_path):
    (tmp_path / "trying-r").mkdir()
    worker = Worker(tmp_path, "r", square)
    answer = worker({"block": [json.dumps(items(3))]})
    assert answer == {"key": ["0000", "0001", "0002"], "failure": [""] * 3, "stop": [0] * 3}
