"""A release made in a small workspace of its own; the workflows and the citation, read as they stand."""

import datetime
import importlib.util
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
WORKFLOWS = ROOT / ".github" / "workflows"

needs_uv = pytest.mark.skipif(not (shutil.which("uv") and shutil.which("git")), reason="needs uv and git")


@pytest.fixture(scope="module")
def releasing():
    spec = importlib.util.spec_from_file_location("releasing", ROOT / "tools" / "release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def version(workspace: Path, name: str) -> str:
    return tomllib.loads((workspace / "packages" / name / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]


@needs_uv
def test_a_release_is_written_built_committed_and_tagged(workspace, releasing):
    assert releasing.release(workspace, "asva-two", "minor") == "asva-two-v0.2.0"
    assert git(workspace, "tag", "--points-at", "HEAD").split() == ["asva-two-v0.2.0"]
    assert git(workspace, "log", "-1", "--format=%s").strip() == "Release asva-two 0.2.0"
    assert not git(workspace, "status", "--porcelain")
    assert version(workspace, "asva-two") == "0.2.0" and version(workspace, "asva-one") == "0.1.0"
    today = datetime.datetime.now(datetime.UTC).date()
    told = (workspace / "packages/asva-two/CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## 0.2.0 ({today})\n\n### Added\n\n- A thing." in told
    archives = sorted(path.name for path in (workspace / "dist/asva-two-v0.2.0").iterdir() if path.name[0] != ".")
    assert archives == ["asva_two-0.2.0-py3-none-any.whl", "asva_two-0.2.0.tar.gz"]


@needs_uv
def test_the_version_as_it_stands_and_a_patch_need_no_new_ranges(workspace, releasing):
    assert releasing.release(workspace, "asva-one", "first") == "asva-one-v0.1.0"
    told = workspace / "packages/asva-one/CHANGELOG.md"
    told.write_text(f"# Changelog\n\n## Unreleased\n\n- More.\n{told.read_text(encoding='utf-8')}", encoding="utf-8")
    commit(workspace)
    assert releasing.release(workspace, "asva-one", "patch") == "asva-one-v0.1.1"
    assert '"asva-one[fast]>=0.1,<0.2",' in (workspace / "packages/asva-two/pyproject.toml").read_text(encoding="utf-8")


@needs_uv
def test_siblings_that_would_not_take_the_version_are_named(workspace, releasing):
    with pytest.raises(ValueError, match=r"Ranges on asva-one must hold 0\.2\.0, .*\nasva-two: asva-one\[fast\]>=0\.1"):
        releasing.release(workspace, "asva-one", "minor")
    assert version(workspace, "asva-one") == "0.1.0" and not git(workspace, "status", "--porcelain")


@needs_uv
def test_what_cannot_be_released_is_refused_and_nothing_changes(workspace, releasing):
    with pytest.raises(ValueError, match="`package` must be a folder of packages"):
        releasing.release(workspace, "asva-oen", "minor")
    with pytest.raises(ValueError, match="`part` one of major, minor, patch, first"):
        releasing.release(workspace, "asva-one", "huge")
    (workspace / "new.txt").write_text("?", encoding="utf-8")
    with pytest.raises(ValueError, match="working tree must be clean"):
        releasing.release(workspace, "asva-two", "minor")
    (workspace / "new.txt").unlink()
    git(workspace, "tag", "asva-two-v0.2.0")
    with pytest.raises(ValueError, match=r"Tag 'asva-two-v0\.2\.0' exists"):
        releasing.release(workspace, "asva-two", "minor")
    (workspace / "packages/asva-two/CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- Old.\n", encoding="utf-8"
    )
    commit(workspace)
    with pytest.raises(ValueError, match="must hold what a release replaces once"):
        releasing.release(workspace, "asva-two", "patch")
    assert version(workspace, "asva-two") == "0.1.0" and not git(workspace, "status", "--porcelain")


@needs_uv
def test_a_package_that_cannot_be_built_leaves_nothing_behind(workspace, releasing):
    (workspace / "packages/asva-two/LICENSE").unlink()
    commit(workspace)
    with pytest.raises(subprocess.CalledProcessError):
        releasing.release(workspace, "asva-two", "minor")
    assert not git(workspace, "status", "--porcelain")
    assert not git(workspace, "tag")


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_version_of_every_package_fits_its_siblings(releasing, folder):
    declared = tomllib.loads((ROOT / "packages" / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert releasing.outside(ROOT, declared["name"], declared["version"]) == ""
    assert "asva-train: asva-unet>=" in releasing.outside(ROOT, "asva-unet", "99.0")


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
