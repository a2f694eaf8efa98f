"""The READMEs and the pages keep their word: their Python and their commands run, and what they name exists.

The blocks of a page of `docs` run one after the other in one empty folder. A comment before a block says otherwise:
``<!-- not run: why -->`` leaves it at a check of syntax and options, ``<!-- file: NAME -->`` writes it to a file.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]
PAGES = [ROOT / "docs" / "index.md", ROOT / "docs" / "gallery.md", *sorted(ROOT.glob("docs/tasks/*.md"))]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BLOCK = re.compile(r"^(?:<!-- (not run|file): (.+?) -->\n)?```(\w+)\n(.*?)^```", flags=re.M | re.S)
SHELL = ("bash", "sh", "console")


def blocks(path: Path, *languages: str) -> list[tuple[int, str]]:
    """The fenced blocks of a document with the line on which each begins."""
    text = path.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    return [(text[: match.start(4)].count("\n") + 1, match[4]) for match in found if match[3] in languages]


def commands(path: Path) -> list[tuple[int, list[str]]]:
    """Every command line of a document."""
    return [(line, command) for line, block in blocks(path, *SHELL) for command in command_lines(block)]


def command_lines(block: str) -> list[list[str]]:
    """The words of each command, joined over backslashes and split at `&&`."""
    rows = [row.split(" #")[0].removeprefix("$ ") for row in block.replace("\\\n", " ").splitlines()]
    parts = [part for row in rows for part in re.split(r"\s&&\s", row)]
    return [shlex.split(part) for part in parts if part.strip()]


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT).parent))
def test_snippets_run(path, tmp_path, monkeypatch):
    """The Python blocks of one README, in order, as one program in an empty folder beside the examples."""
    snippets = blocks(path, "python")
    if path != READMES[0]:
        assert snippets, f"{path.relative_to(ROOT)} shows no example."
    if not snippets:
        return
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    space: dict = {"__name__": "readme"}
    for line, text in snippets:
        exec(compile("\n" * line + text, str(path), "exec"), space)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem == "gallery" else ()) for path in PAGES],
    ids=lambda path: path.stem,
)
def test_pages_run(path, tmp_path, monkeypatch, capsys):
    """Every block of one page, from its first command to its last."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASVA_CACHE", str(tmp_path / "cache"))
    text, space = path.read_text(encoding="utf-8"), {"__name__": "page"}
    for match in BLOCK.finditer(text):
        mark, value, language, block = match.groups()
        if mark == "file":
            Path(value).write_text(block, encoding="utf-8")
        elif language == "python":
            program = compile("\n" * text[: match.start(4)].count("\n") + block, str(path), "exec")
            if mark is None:
                exec(program, space)
        elif language in SHELL and mark is None:
            for command in command_lines(block):
                run_command(command, capsys)


def run_command(words: list[str], capsys) -> None:
    """One command line of a page: `asva` in this process, the few others that pages need as they are."""
    words = words[2:] if words[:2] == ["uv", "run"] else words
    if words[0] == "pip":  # whoever runs the tests has done so
        return
    if words[0] != "asva":
        assert words[0] in ("mkdir", "cp", "mv", "rm"), f"`{shlex.join(words)}` must carry a `not run` mark."
        subprocess.run(words, check=True)
        return
    from asva.cli import app

    with pytest.raises(SystemExit) as ended:
        app(words[1:], prog_name="asva")
    assert ended.value.code == 0, f"`{shlex.join(words)}` ended with {ended.value.code}: {capsys.readouterr().err}"


def test_the_first_command_stands_before_line_20():
    line, command = commands(ROOT / "README.md")[0]
    assert line < 20
    assert command[:2] == ["pip", "install"]


def test_the_first_commands_set_everything_up():
    rows = [command for _, command in commands(ROOT / "README.md")]
    assert rows[0] == ["pip", "install", "uv"]
    assert rows[1][:4] == ["uv", "run", "asva", "sample"]
    assert ["uv", "run", "nox", "-s", "tests"] in rows


def test_ci_runs_the_readme_test_command():
    assert re.search(r"^uv run nox -s tests$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), flags=re.M)


def test_named_inputs_exist():
    for _, command in commands(ROOT / "README.md"):
        for word in command:
            if word.startswith("examples/"):
                assert (ROOT / word).is_file(), f"README.md names {word}, which is not there."


@pytest.mark.parametrize(
    "path", [*READMES, *PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_named_commands_exist(path):
    """Each `asva ...` subcommand answers `--help` with the options the document uses; each nox session exists."""
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), flags=re.M))
    for _, command in commands(path):
        words = command[2:] if command[:2] == ["uv", "run"] else command
        if words[:2] == ["nox", "-s"]:
            names = [word.split("(")[0].split("-")[0] for word in words[2:] if word != "--"]
            assert set(names[:1]) <= sessions, f"{path.name} names the nox sessions {names}."
        if words and words[0] == "asva":
            assert_asva_knows(words[1:], path)


def test_the_script_of_the_examples_names_what_exists():
    text = (ROOT / "examples" / "own_model.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    rows = re.findall(r"^(?:.*\|\| | *)asva (.+)$", text, flags=re.M)
    assert len(rows) >= 8
    for row in rows:
        assert_asva_knows(shlex.split(row), ROOT / "examples" / "own_model.sh")


@pytest.mark.slow
def test_a_stranger_gets_a_model_of_his_own(tmp_path):
    """The script from clips to a report, and once more: it goes on behind what it has done."""
    sizes = {"STEPS": "1", "BATCH": "1", "TESTS": "2"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for _ in range(2):
        words = ["sh", str(ROOT / "examples" / "own_model.sh")]
        ran = subprocess.run(
            words, cwd=tmp_path, env=os.environ | sizes | {"PATH": path}, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "own_model" / "model" / "model_index.json").is_file()
    scores = json.loads((tmp_path / "own_model" / "report" / "report.json").read_text(encoding="utf-8"))["scores"]
    assert {"mine", "bundled"} <= set(scores[1]["systems"])


def assert_asva_knows(words: list[str], path: Path) -> None:
    from typer.main import get_command

    from asva.cli import app

    node, rest = get_command(app), list(words)
    while getattr(node, "commands", None) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in node.commands, f"{path.name} names `asva {name}`, which does not exist."
        node = node.commands[name]
    known = {option for parameter in node.params for option in [*parameter.opts, *parameter.secondary_opts]}
    unknown = {word.split("=")[0] for word in rest if word.startswith("--")} - known - {"--help"}
    assert not unknown, f"{path.name} gives `asva {' '.join(words)}` the options {unknown}."


def test_the_table_lists_every_package():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for declaration in ROOT.glob("packages/*/pyproject.toml"):
        name = tomllib.loads(declaration.read_text(encoding="utf-8"))["project"]["name"]
        assert f"](packages/{declaration.parent.name})" in text, f"README.md does not list {name}."
