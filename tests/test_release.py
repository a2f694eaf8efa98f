"""A release made in a small workspace of its own; the workflows and the citation, read as they stand."""

import datetime
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
WORKFLOWS = ROOT / ".github" / "workflows"
DATE = datetime.date(2026, 11, 20)

needs_uv = pytest.mark.skipif(not (shutil.which("uv") and shutil.which("git")), reason="needs uv and git")


@pytest.fixture(scope="module")
def releasing():
    home = ROOT / "tools" / "release"
    places = {"submodule_search_locations": [str(home)]}
    spec = importlib.util.spec_from_file_location("releasing", home / "__init__.py", **places)
    module = sys.modules["releasing"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in [name for name in sys.modules if name.partition(".")[0] == "releasing"]:
        del sys.modules[name]


def write_package(root: Path, name: str, needs: str = "") -> None:
    folder = root / "packages" / name
    module = folder / "src" / name.replace("-", "_")
    module.mkdir(parents=True)
    (module / "__init__.py").write_text('"""Nothing."""\n\n__all__ = ["ONE"]\nONE = 1\n', encoding="utf-8")
    (module / "py.typed").touch()
    (folder / "README.md").write_text("# Nothing\n", encoding="utf-8")
    (folder / "LICENSE").write_text("None.\n", encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(
        f"# Changelog of {name}\n\n## 0.1.0 (unreleased)\n\n### Added\n\n- A thing.\n", encoding="utf-8"
    )
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["uv_build>=0.9,<0.14"]\nbuild-backend = "uv_build"\n\n[project]\n'
        f'name = "{name}"\nversion = "0.1.0"\ndescription = "Nothing."\nreadme = "README.md"\n'
        'requires-python = ">=3.11"\n'
        f'license-files = ["LICENSE"]\ndependencies = [{needs}]\n',
        encoding="utf-8",
    )


@pytest.fixture
def workspace(tmp_path):
    """Two packages, of which the second needs the first, in a repository of their own."""
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["packages/*"]\n', encoding="utf-8")
    (tmp_path / ".gitignore").write_text("dist/\nuv.lock\n", encoding="utf-8")
    write_package(tmp_path, "asva-one")
    write_package(tmp_path, "asva-two", '\n    "asva-one[fast]>=0.1,<0.2",\n')
    for command in (["init", "-q"], ["config", "user.name", "a"], ["config", "user.email", "a@example.org"]):
        git(tmp_path, *command)
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "-qm", "State")


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, text=True, stdout=subprocess.PIPE).stdout


@needs_uv
def test_a_release_is_written_committed_tagged_and_tried(workspace, releasing):
    done = releasing.release(workspace, "asva-one", "minor")
    assert done.tag == "asva-one-v0.2.0"
    assert git(workspace, "tag", "--points-at", "HEAD").split() == ["asva-one-v0.2.0"]
    assert git(workspace, "log", "-1", "--format=%s").strip() == "Release asva-one 0.2.0"
    assert not git(workspace, "status", "--porcelain")
    assert tomllib.loads((done.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == "0.2.0"
    today = datetime.datetime.now(datetime.UTC).date()
    assert f"## 0.2.0 ({today})\n\n### Added\n\n- A thing." in (done.folder / "CHANGELOG.md").read_text(
        encoding="utf-8"
    )
    archives = sorted(path.name for path in (workspace / "dist" / done.tag).iterdir() if path.suffix in (".whl", ".gz"))
    assert archives == ["asva_one-0.2.0-py3-none-any.whl", "asva_one-0.2.0.tar.gz"]


@needs_uv
def test_siblings_follow_and_say_so(workspace, releasing):
    planned = releasing.plan(workspace, "asva-one", "minor")
    changed = releasing.write(planned, DATE)
    two = workspace / "packages" / "asva-two"
    assert two / "CHANGELOG.md" in changed
    assert '"asva-one[fast]>=0.2,<0.3",' in (two / "pyproject.toml").read_text(encoding="utf-8")
    assert "## 0.1.0 (unreleased)\n\n### Changed\n\n- Needs `asva-one` 0.2.\n\n### Added\n" in (
        two / "CHANGELOG.md"
    ).read_text(encoding="utf-8")


@needs_uv
def test_a_released_sibling_gets_a_new_section(workspace, releasing):
    told = workspace / "packages" / "asva-two" / "CHANGELOG.md"
    told.write_text(told.read_text(encoding="utf-8").replace("(unreleased)", "(2026-01-01)"), encoding="utf-8")
    releasing.write(releasing.plan(workspace, "asva-one", "major"), DATE)
    assert "## Unreleased\n\n### Changed\n\n- Needs `asva-one` 1.0.\n\n## 0.1.0 (2026-01-01)" in told.read_text(
        encoding="utf-8"
    )
    assert ">=1.0,<2" in (workspace / "packages" / "asva-two" / "pyproject.toml").read_text(encoding="utf-8")


@needs_uv
def test_a_patch_leaves_siblings_alone(workspace, releasing):
    changed = releasing.write(releasing.plan(workspace, "asva-one", "patch"), DATE)
    assert {path.parent.name for path in changed} == {"asva-one"}


@needs_uv
def test_what_cannot_be_released_is_refused_and_nothing_changes(workspace, releasing):
    with pytest.raises(releasing.ReleaseError, match=r"`package` must be one of asva-one, asva-two, got 'asva-oen'\."):
        releasing.release(workspace, "asva-oen", "minor")
    with pytest.raises(releasing.ReleaseError, match="`part` must be one of"):
        releasing.release(workspace, "asva-one", "huge")
    (workspace / "new.txt").write_text("?", encoding="utf-8")
    with pytest.raises(releasing.ReleaseError, match="working tree must be clean"):
        releasing.release(workspace, "asva-one", "minor")
    (workspace / "new.txt").unlink()
    git(workspace, "tag", "asva-one-v0.2.0")
    with pytest.raises(releasing.ReleaseError, match=r"Tag 'asva-one-v0\.2\.0' exists"):
        releasing.release(workspace, "asva-one", "minor")
    (workspace / "packages/asva-two/CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n", encoding="utf-8")
    commit(workspace)
    with pytest.raises(releasing.ReleaseError, match="that says what changed"):
        releasing.release(workspace, "asva-two", "patch")


@needs_uv
def test_what_was_written_is_put_back_where_a_sibling_s_changelog_cannot_be(workspace, releasing):
    (workspace / "packages/asva-two/CHANGELOG.md").unlink()
    commit(workspace)
    with pytest.raises(FileNotFoundError):
        releasing.release(workspace, "asva-one", "minor")
    assert not git(workspace, "status", "--porcelain") and not git(workspace, "tag")


@needs_uv
def test_a_package_that_cannot_be_built_leaves_nothing_behind(workspace, releasing):
    (workspace / "packages/asva-one/LICENSE").unlink()
    commit(workspace)
    with pytest.raises((releasing.ReleaseError, subprocess.CalledProcessError)):
        releasing.release(workspace, "asva-one", "minor")
    assert not git(workspace, "status", "--porcelain")
    assert not git(workspace, "tag")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_package_could_be_released(releasing, folder):
    planned = releasing.plan(ROOT, folder, "first")
    assert planned.new == planned.old == Version(releasing.project(planned.folder)["version"])
    assert planned.tag == f"{planned.name}-v{planned.new}"


def workflow(name: str) -> dict:
    return yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))


def test_every_package_is_tested_on_every_system_and_python():
    matrix = workflow("test.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert sorted(matrix["package"]) == FOLDERS
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "macos", "windows"}
    everywhere = re.search(r"@nox.session\(python=(\[.*?\])\)", (ROOT / "noxfile.py").read_text(encoding="utf-8"))[1]
    assert matrix["python"] == yaml.safe_load(everywhere)


def test_a_tag_publishes_by_trust_alone():
    published = workflow("publish.yml")
    assert published[True] == {"push": {"tags": ["asva-*-v*"]}}  # YAML reads the word "on" as true
    job = published["jobs"]["publish"]
    assert job["permissions"] == {"id-token": "write"} and set(job["needs"]) == {"build", "test"}
    assert job["steps"][-1]["run"] == "uv publish --trusted-publishing always dist/*"


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_workflows_name_no_secret_and_no_host(path):
    text = path.read_text(encoding="utf-8")
    assert "secrets." not in text and "://" not in text
    assert all(job["runs-on"] for job in yaml.safe_load(text)["jobs"].values())


def test_workflows_start_sessions_that_exist_on_pythons_that_are_supported():
    declared = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    pythons = workflow("test.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    started = [
        line
        for path in WORKFLOWS.glob("*.yml")
        for line in re.findall(r"run: .*nox -s (.+)", path.read_text(encoding="utf-8"))
    ]
    assert len(started) == 3
    for line in started:
        name, python = re.match(r'"?(\w+)-?([\d.]*)', line).groups()
        assert f"\ndef {name}(session: nox.Session" in declared and (not python or python in pythons), line


def test_actions_are_pinned_by_hash_with_the_version_beside():
    """A tag can be moved to other code, a hash cannot."""
    used = [
        line for path in WORKFLOWS.glob("*.yml") for line in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    ]
    assert {action.split("/")[0] for action in used} == {"actions", "astral-sh"}
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_citation_holds_what_the_format_asks_for_and_the_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    assert cited["message"] and cited["title"] == "asva" and cited["authors"] == [{"name": "The asva authors"}]
    declared = tomllib.loads((ROOT / "packages/asva/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (cited["version"], cited["license"]) == (declared["version"], declared["license"])
    assert isinstance(cited["date-released"], datetime.date)
