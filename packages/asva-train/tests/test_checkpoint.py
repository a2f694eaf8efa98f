"""Checkpoints: whole or absent, the newest few stay, loading runs no code."""

import errno
import pickle
import subprocess
import sys

import pytest
import torch

from asva_train.checkpoint import checkpoints, load_checkpoint, save_checkpoint


def _save(folder, step):
    return save_checkpoint(folder, step, {"w": torch.full((2,), float(step))}, {"optimizer": {"lr": 0.1}}, {"tag": "x"})


def test_what_is_saved_comes_back(tmp_path):
    weights, states, record = load_checkpoint(_save(tmp_path, 3))
    assert weights["w"].tolist() == [3.0, 3.0]
    assert states == {"optimizer": {"lr": 0.1}}
    assert record == {"step": 3, "tag": "x"}


def test_the_newest_two_stay(tmp_path):
    for step in (1, 2, 3):
        _save(tmp_path, step)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002", "step-00000003"]


def test_a_write_that_stops_half_way_leaves_the_older_one(tmp_path, monkeypatch):
    _save(tmp_path, 1)
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError("No space left on device")))
    with pytest.raises(OSError, match="space"):
        _save(tmp_path, 2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000001"]
    monkeypatch.undo()
    _save(tmp_path, 2)
    assert len(checkpoints(tmp_path)) == 2


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    path = _save(tmp_path, 1)
    (path / "optimizer.pt").write_bytes(pickle.dumps(Evil(), 2))
    with pytest.raises(ValueError, match="would run code"):
        load_checkpoint(path)
    assert not (tmp_path / "evil").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bound")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    """In a process whose files may have 100 kB: safetensors and torch have errors of their own for that."""
    script = """
import resource, signal, sys, torch
from pathlib import Path
from asva_train.checkpoint import save_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
large = torch.zeros(100_000)
for weights, states in (({"a": large}, {}), ({"a": torch.zeros(1)}, {"a": large})):
    try:
        save_checkpoint(Path(sys.argv[1]), 1, weights, states, {})
    except OSError as error:
        print(error.filename, error.errno)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(line.split()[0] == str(tmp_path / "step-00000001") for line in lines)
    assert {int(line.split()[1]) for line in lines} <= {errno.EFBIG, errno.ENOSPC}
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / ".step-00000007.tmp").mkdir()
    _save(tmp_path, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000008"]
