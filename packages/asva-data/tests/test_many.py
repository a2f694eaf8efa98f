"""Work on many items: nothing finished is lost or done twice, whatever is killed or full."""

import errno
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from asva_data import MediaError, TarShards
from asva_data.datasets import shards as writing
from asva_data.many import item_key, only_run, run_many, store_many


def items(count):
    return {f"{number:04x}": number for number in range(count)}


def square(folder=None, stop_at=None):
    """Work that notes each item it is asked for, and may kill its process."""

    def work(number):
        if folder is not None:
            with (Path(folder) / "asked").open("a", encoding="utf-8") as file:
                file.write(f"{number}\n")
        if number == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if number % 20 == 7:
            raise ValueError(f"`path` must be good, got {number}.mp4.")
        if number % 20 == 8:
            raise KeyError(number)
        if number % 20 == 9:
            raise MemoryError
        return {"bin": bytes([number]) * number, "json": {"square": number**2}}

    return work


def asked(folder):
    return [int(word) for word in (folder / "asked").read_text(encoding="utf-8").split()]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "asked"}


def test_each_item_has_an_outcome_and_a_bad_one_costs_only_itself():
    begun = []
    outcomes = list(run_many(range(12), square, on_start=begun.append))
    assert begun == [outcome.index for outcome in outcomes] == list(range(12))
    assert outcomes[3].result["json"] == {"square": 9} and not outcomes[3].failure
    failures = {outcome.index: outcome.failure for outcome in outcomes if outcome.result is None}
    assert failures == {
        7: "`path` must be good, got 7.mp4.", 8: "KeyError: 8", 9: "MemoryError: too large for this machine"
    }  # fmt: skip


def test_one_process_needs_no_ray():
    script = "import sys; from asva_data.many import run_many\n"
    script += "assert [outcome.result for outcome in run_many([1, 2], lambda: str)] == ['1', '2']\n"
    script += "assert 'ray' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_everything_is_stored_once_and_accounted_for(tmp_path):
    seen = []
    failures = store_many(items(40), tmp_path, square, per_shard=16, on_done=seen.append)
    assert seen == list(range(41)) and sorted(failures) == ["0007", "0008", "0009", "001b", "001c", "001d"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"shard-{number:06d}.tar" for number in range(3)]
    shards = TarShards(sorted(tmp_path.iterdir()))
    assert shards.keys == [key for key in items(40) if key not in failures]
    assert shards.read_json("0003") == {"square": 9} and shards.read("0003", "bin") == b"\3\3\3"
    again = store_many(items(42), tmp_path, partial(square, tmp_path), per_shard=16, on_done=seen.append)
    assert asked(tmp_path) == [7, 8, 9, 27, 28, 29, 40, 41], "what failed is tried again, and what is new is done"
    assert again == failures and seen[41] == 34 and seen[-1] == 42
    assert len(TarShards([tmp_path / "shard-000002.tar"])) == 4, "the last shard has grown from two"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_run_goes_on_and_gives_the_same_bytes(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from functools import partial
from test_many import items, square, store_many
store_many(items(30), {str(tmp_path / "out")!r}, partial(square, {str(tmp_path)!r}, stop_at=17), per_shard=4)
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == [".lock", "shard-000000.tar", "shard-000001.tar", "shard-000002.tar"]
    (tmp_path / "out" / ".shard-000003.tar.1.part").write_bytes(b"half")
    assert asked(tmp_path) == list(range(18))
    (tmp_path / "asked").unlink()
    failures = store_many(items(30), tmp_path / "out", partial(square, tmp_path), per_shard=4)
    assert asked(tmp_path) == [7, 8, 9, *range(15, 30)], "12 of the first 15 lay in finished shards"
    whole = store_many(items(30), tmp_path / "whole", square, per_shard=4)
    assert failures == whole and contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, monkeypatch):
    fill, count = writing._fill, []

    def full(part, *rest):
        count.append(part)
        if len(count) >= 3:
            part.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(part))
        return fill(part, *rest)

    monkeypatch.setattr(writing, "_fill", full)
    with pytest.raises(OSError, match="No space left") as stopped:
        store_many(items(20), tmp_path / "out", square, per_shard=4)
    assert stopped.value.errno == errno.ENOSPC
    assert sorted(contents(tmp_path / "out")) == ["shard-000000.tar", "shard-000001.tar"]
    monkeypatch.undo()
    store_many(items(20), tmp_path / "out", square, per_shard=4)
    store_many(items(20), tmp_path / "whole", square, per_shard=4)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))])
def test_what_was_done_before_an_interruption_stays(error, tmp_path):
    """Even in the middle of a shard, which is the same in the end."""

    def stopped():
        def work(number):
            if number == 6:
                raise error
            return square()(number)

        return work

    with pytest.raises(type(error)):
        store_many(items(20), tmp_path / "out", stopped, per_shard=4)
    assert len(TarShards(sorted((tmp_path / "out").iterdir()))) == 6
    store_many(items(20), tmp_path / "out", partial(square, tmp_path), per_shard=4)
    assert asked(tmp_path) == list(range(6, 20))
    store_many(items(20), tmp_path / "whole", square, per_shard=4)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_slow_work_is_saved_before_a_shard_is_full(tmp_path, monkeypatch):
    def looking():
        return lambda number: {"json": {"there": len(list(tmp_path.glob("shard-*")))}}

    store_many(items(3), tmp_path, looking)
    monkeypatch.setattr("asva_data.many.SAVE_EVERY", 0.0)
    for path in tmp_path.iterdir():
        path.unlink()
    store_many(items(3), tmp_path, looking)
    (shard,) = tmp_path.iterdir()
    assert [TarShards([shard]).read_json(key)["there"] for key in items(3)] == [0, 1, 1]


def test_a_second_run_is_refused_while_one_lasts(tmp_path):
    with only_run(tmp_path):
        with pytest.raises(MediaError, match="`folder` must be written by one run at a time") as refused:
            store_many(items(3), tmp_path, square)
        assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
    assert len(store_many(items(9), tmp_path, square)) == 2


def test_workers_are_checked_and_need_ray(monkeypatch):
    with pytest.raises(MediaError, match="`workers` must be at least 1"):
        list(run_many([1], square, workers=0))
    monkeypatch.setattr("asva_data.many.find_spec", lambda name: None)
    with pytest.raises(MediaError, match=r"asva-data\[scale\]"):
        list(run_many([1], square, workers=2))


def test_keys_follow_place_and_size(tmp_path):
    for name, size in (("a b", 3), ("über", 3), ("c", 4)):
        (tmp_path / name).write_bytes(bytes(size))
    keys = {item_key(path, tmp_path) for path in tmp_path.iterdir()}
    assert len(keys) == 3 and all(len(key) == 16 for key in keys)
    before = item_key(tmp_path / "c", tmp_path)
    os.utime(tmp_path / "c", (time.time(), 0))
    assert item_key(tmp_path / "c", tmp_path) == before != item_key(tmp_path / "c", tmp_path, "other settings")
    (tmp_path / "c").write_bytes(bytes(5))
    assert item_key(tmp_path / "c", tmp_path) != before


def test_drafts_of_killed_runs_go_with_the_next(tmp_path):
    for name in (".a.mp4.1234abcd.part", ".b.mp4.1234abcd.part", "sub/.c.json.1234abcd.part"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    with only_run(tmp_path / "a.mp4"):
        assert {path.name for path in tmp_path.iterdir()} == {".a.mp4.lock", ".b.mp4.1234abcd.part", "sub"}
        with pytest.raises(MediaError, match=r"`output` must be written by one run at a time, got .*a\.mp4"):
            with only_run(tmp_path / "a.mp4"):
                pass
    with only_run(tmp_path):
        assert {path.name for path in tmp_path.rglob("*")} == {".lock", "sub"}
    assert {path.name for path in tmp_path.rglob("*")} == {"sub"}
