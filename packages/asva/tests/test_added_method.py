"""A made-up method, the one of `docs/tasks/method.md`: one folder and an entry point, and everything knows it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from asva_data import read_video

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tasks" / "method.md"
MARKED = re.compile(r"^<!-- (file|not run): (.+?) -->\n```(\w+)\n(.*?)^```", flags=re.M | re.S)
TESTS = ("asva/tests/test_methods_registry.py", "asva-pipelines/tests/test_long_plan.py")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the page's package as an installer leaves it, and the blocks that need it."""
    home = tmp_path_factory.mktemp("added")
    blocks = MARKED.findall(PAGE.read_text(encoding="utf-8"))
    for name in (name for mark, name, *_ in blocks if mark == "file"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
    for mark, name, _, text in blocks:
        if mark == "file":
            (home / name).write_text(text, encoding="utf-8")
    project = tomllib.loads((home / "pulse" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    facts = home / "pulse" / "src" / f"pulse-{project['version']}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: pulse\nVersion: 0.1\n", encoding="utf-8")
    points = "".join(f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
                     for group, entries in project["entry-points"].items())  # fmt: skip
    (facts / "entry_points.txt").write_text(points, encoding="utf-8")
    (home / "examples").symlink_to(ROOT / "examples")
    return home, {language: text for mark, _, language, text in blocks if mark == "not run"}


def test_the_added_method_samples_and_passes_the_houses_tests(installed):
    """One process, in which the package is installed: the page's commands and Python, then the tests of methods."""
    home, blocks = installed
    commands = [line.split()[1:] for line in blocks["bash"].splitlines() if line.startswith("asva")]
    tests = [str(ROOT / "packages" / name) for name in TESTS]
    program = f"""
import sys
from asva.cli import app
from asva_pipelines import METHODS

assert "pulse" in METHODS, list(METHODS)
for words in {commands!r}:
    try:
        app(words, prog_name="asva")
    except SystemExit as ended:
        assert ended.code == 0, words
exec({blocks["python"]!r})
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "pulse", *{tests!r}]))
"""
    path = os.pathsep.join([str(home / "pulse" / "src"), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=home, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "--method pulse (needs no model): the picture, as bright as the sound is loud" in ran.stdout
    assert "(48, 64, 64, 3) 24" in ran.stdout and int(re.search(r"(\d+) passed", ran.stdout)[1]) >= 7
    short, long = (read_video(home / name).frames for name in ("pulse.mp4", "long.mp4"))
    assert len(short) == 48 and len(long) == 120
    light = short.mean((1, 2, 3))
    assert light.max() > 1.5 * light.min(), "loud moments are bright"


def test_a_method_that_cannot_be_loaded_leaves_the_others(monkeypatch):
    from importlib.metadata import EntryPoint

    from asva_pipelines import Method, entry_points

    broken = [EntryPoint(name, value, "asva.methods") for name, value in (("a", "nowhere:METHOD"), ("b", "json:dumps"))]
    told = []
    monkeypatch.setattr(entry_points, "entry_points", lambda group: broken)
    monkeypatch.setattr(entry_points, "note", told.append)
    assert list(entry_points.of_other_packages("asva.methods", Method, ())) == []
    assert "'a' (nowhere:METHOD) could not be loaded" in told[0] and "'json:dumps' must be a `Method`" in told[1]
