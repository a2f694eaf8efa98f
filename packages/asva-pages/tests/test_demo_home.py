"""The folder of a server's files: gone when it ends, removed by the next server when it was killed."""

import subprocess
import sys

import pytest

from asva_pages.demo.home import new_home, occupied

HOLD = """
import sys
from pathlib import Path
from asva_pages.demo.home import occupied
with occupied(Path(sys.argv[1])):
    Path(sys.argv[1], "file").touch()
    print("in", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path):
    """Starts processes that hold a folder of their own."""
    started = []

    def start(name):
        command = [sys.executable, "-c", HOLD, str(tmp_path / f"asva-demo-{name}")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "in\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = new_home()
    with pytest.raises(ZeroDivisionError), occupied(home):
        assert home.is_dir() and home.parent == tmp_path
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_the_dead_are_removed_and_the_living_kept(server, tmp_path):
    dead = server("dead")
    server("living")
    dead.kill()
    dead.wait()
    assert "asva-demo-dead" in names(tmp_path)
    (tmp_path / "asva-demo-elsewhere").mkdir()  # of something else, for there is no lock beside it
    kept = ["asva-demo-elsewhere", "asva-demo-living", "asva-demo-living.lock"]
    with occupied(tmp_path / "asva-demo-new"):
        assert names(tmp_path) == [*kept, "asva-demo-new", "asva-demo-new.lock"]
    assert names(tmp_path) == kept and (tmp_path / "asva-demo-living" / "file").exists()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "asva-demo-link").symlink_to(tmp_path / "mine")
    (tmp_path / "asva-demo-link.lock").touch()
    with occupied(tmp_path / "asva-demo-new"):
        pass
    assert (tmp_path / "mine").is_dir()
