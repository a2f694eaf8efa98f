"""The READMEs keep their word: their Python runs, and the commands they name exist."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]


def blocks(path: Path, *languages: str) -> list[tuple[int, str]]:
    """The fenced blocks of a document with the line on which each begins."""
    text = path.read_text()
    found = re.finditer(r"^```(\w+)\n(.*?)^```", text, flags=re.M | re.S)
    return [(text[: match.start(2)].count("\n") + 1, match[2]) for match in found if match[1] in languages]


def commands(path: Path) -> list[tuple[int, list[str]]]:
    """Every command line of a document, joined over backslashes and split at `&&`."""
    rows = []
    for line, block in blocks(path, "bash", "sh", "console"):
        joined = block.replace("\\\n", " ")
        for row in joined.splitlines():
            parts = re.split(r"\s&&\s", row.split(" #")[0].removeprefix("$ "))
            rows += [(line, shlex.split(part)) for part in parts if part.strip()]
    return rows


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
    assert re.search(r"^uv run nox -s tests$", (ROOT / ".ci" / "run").read_text(), flags=re.M)


def test_named_inputs_exist():
    for _, command in commands(ROOT / "README.md"):
        for word in command:
            if word.startswith("examples/"):
                assert (ROOT / word).is_file(), f"README.md names {word}, which is not there."


@pytest.mark.parametrize("path", [*READMES, ROOT / "CONTRIBUTING.md"], ids=lambda path: str(path.relative_to(ROOT)))
def test_named_commands_exist(path):
    """Each `asva ...` subcommand answers `--help` with the options the document uses; each nox session exists."""
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(), flags=re.M))
    for _, command in commands(path):
        words = command[2:] if command[:2] == ["uv", "run"] else command
        if words[:2] == ["nox", "-s"]:
            names = [word.split("(")[0].split("-")[0] for word in words[2:] if word != "--"]
            assert set(names[:1]) <= sessions, f"{path.name} names the nox sessions {names}."
        if words and words[0] == "asva":
            assert_asva_knows(words[1:], path)


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
    text = (ROOT / "README.md").read_text()
    for declaration in ROOT.glob("packages/*/pyproject.toml"):
        name = tomllib.loads(declaration.read_text())["project"]["name"]
        assert f"](packages/{declaration.parent.name})" in text, f"README.md does not list {name}."
