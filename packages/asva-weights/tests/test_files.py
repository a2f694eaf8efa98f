"""Files that appear together, and records."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from asva_weights import files


def test_staged_files_appear_together(tmp_path):
    video, record = tmp_path / "out.mp4", tmp_path / "out.json"
    with files.staged(video, record) as drafts:
        for draft in drafts:
            draft.write_text("whole", encoding="utf-8")
        assert not video.exists() and not record.exists()
    assert video.read_text(encoding="utf-8") == record.read_text(encoding="utf-8") == "whole"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.mp4"]


@pytest.mark.parametrize("accident", [RuntimeError, KeyboardInterrupt])
def test_staged_files_leave_nothing_after_an_accident(tmp_path, accident):
    (tmp_path / "out.mp4").write_text("before", encoding="utf-8")
    with pytest.raises(accident), files.staged(tmp_path / "out.mp4", tmp_path / "out.json") as drafts:
        drafts[0].write_text("half", encoding="utf-8")
        raise accident
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_text(encoding="utf-8") == "before"


def test_an_error_of_a_writer_names_the_final_file(tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"cannot write {tmp_path / 'out.mp4'}.")):
        with files.staged(tmp_path / "out.mp4") as drafts:
            raise ValueError(f"cannot write {drafts[0]}.")
    with pytest.raises(OSError) as caught, files.staged(tmp_path / "out.mp4") as drafts:
        raise OSError(28, "No space left on device", str(drafts[0]))
    assert caught.value.filename == str(tmp_path / "out.mp4")


def test_json_keeps_numbers_on_one_line_and_text_as_it_is(tmp_path):
    record = {"curve": np.arange(3, dtype=np.float32), "count": np.int64(3), "prompt": "[ 1,  2 ] ü", "path": tmp_path}
    files.write_json(tmp_path / "a.json", record)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert '"curve": [0.0, 1.0, 2.0]' in text
    assert json.loads(text) == {"curve": [0, 1, 2], "count": 3, "prompt": "[ 1,  2 ] ü", "path": str(tmp_path)}


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", {"curve": [float("nan")]})
    with pytest.raises(TypeError, match="cannot hold a object"):
        files.write_json(tmp_path / "a.json", {"x": object()})


def test_versions_name_the_packages_that_make_pixels():
    versions = files.package_versions()
    assert {"python", "torch", "safetensors", "asva-weights"} <= versions.keys()


def test_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.file_digest(tmp_path / "a").startswith("ba7816bf8f01cfea")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_stays(tmp_path):
    script = """
import os, signal, sys
from pathlib import Path
from asva_weights import staged
with staged(Path(sys.argv[1])) as drafts:
    drafts[0].write_bytes(b"half")
    print("in", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    words = [sys.executable, "-c", script, str(tmp_path / "a.json")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout.readline() == "in\n"
        with files.staged(tmp_path / "a.json") as drafts:
            assert len(list(tmp_path.glob(".asva-a.json-*"))) == 2
            drafts[0].write_text("whole", encoding="utf-8")
        assert len(list(tmp_path.glob(".asva-a.json-*"))) == 1
        living.communicate("\n")
    with files.staged(tmp_path / "a.json") as drafts:
        assert list(tmp_path.glob(".asva-*")) == [drafts[0].parents[1]]
        drafts[0].write_text("whole", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
