"""Sessions of the workspace on uv: each package tested alone, lint, docs, benchmarks, builds and pins."""

import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.sessions = ["lint", "tests"]

ROOT = Path(__file__).parent
WHEELS = ROOT / ".nox" / "wheels"
# In order of dependence, so that a fault shows first where it was made; the last one carries the workspace tests.
FOLDERS = ["asva-audio", "asva-data", "asva-unet", "asva-dit", "asva-keyframe", "asva-interp", "asva-metrics", "asva"]
# The file name of decord's wheel is right, the tag inside it is not (dmlc/decord #356).
DECORD_TAG = "The package `decord` was built for a different platform"
TEST_ENV = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg"}


@nox.session
@nox.parametrize("folder", FOLDERS, ids=FOLDERS)
def tests(session: nox.Session, folder: str) -> None:
    """Test each package's wheel in a clean environment that holds only what it declares."""
    test_alone(session, folder)


@nox.session(python=["3.11", "3.12", "3.13"])
@nox.parametrize("folder", FOLDERS, ids=FOLDERS)
def tests_everywhere(session: nox.Session, folder: str) -> None:
    """The same on every supported Python that is installed."""
    test_alone(session, folder)


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Check types; advice, not a gate."""
    session.run("ty", "check", *(session.posargs or [f"packages/{folder}/src" for folder in FOLDERS]))


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Check every link, run every snippet, and build the site into .nox/site; nothing is fetched."""
    checks = [f"tests/test_{name}.py" for name in ("docs", "readme", "site")]
    session.run("pytest", *checks, *session.posargs, env=TEST_ENV)
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(python=False)
def parity(session: nox.Session) -> None:
    """Rerun the parity tests and rewrite the ledger in docs/numerics.md."""
    session.run("python", "docs/parity_table.py", *session.posargs, env=TEST_ENV)


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Print the speed of the building blocks, or run the script that is named after `--` with its options."""
    names = ("unet_forward", "avsyncd_unet", "mtv_forward", "audio_tokens", "flow", "decode")
    for command in [session.posargs] if session.posargs else [[f"benchmarks/{name}.py"] for name in names]:
        session.run("python", *command)


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Build the wheel and the source archive of every package into dist/."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("uv", "build", "--all-packages", "--out-dir", "dist", *session.posargs)


@nox.session(python=False)
def release(session: nox.Session) -> None:
    """Release a package on this machine, `-- asva-unet minor`: version, changelog, commit, tag, tried archives."""
    session.run("python", "-m", "tools.release", *session.posargs)


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Resolve anew, then rewrite the pins in pyproject.toml and the hashes in requirements.lock."""
    write_pins([])
    session.run("uv", "lock", "--upgrade")
    write_pins(pins(export("--no-hashes")))
    session.run("uv", "lock")
    (ROOT / "requirements.lock").write_text(export())


def test_alone(session: nox.Session, folder: str) -> None:
    """Install one package, its siblings' wheels and its test group, pinned; then run its tests."""
    declaration = f"packages/{folder}/pyproject.toml"
    wheels = build_wheels()
    session.env["UV_LINK_MODE"] = link_mode()
    session.install(
        *(wheels[name] for name in closure(folder)),
        *("--group", f"{declaration}:test", "--constraints", "requirements.lock"),
    )
    check_versions(session)
    own = [folder.replace("-", "_"), f"packages/{folder}/tests"]  # the doctests of the installed modules, the tests
    targets = own + (["tests"] if folder == FOLDERS[-1] else [])
    session.run("pytest", "--pyargs", *targets, *session.posargs, env=TEST_ENV)


def check_versions(session: nox.Session) -> None:
    """Let `uv pip check` find versions outside their ranges, which uv's lock does not for siblings."""
    answer = session.run("uv", "pip", "check", external=True, silent=True, success_codes=[0, 1])
    faults = [row for row in answer.splitlines() if row.startswith("The package ") and row != DECORD_TAG]
    if faults:
        session.error("\n".join(faults))


@cache
def build_wheels() -> dict[str, str]:
    """Build every package once a run; the path of each wheel by the name of its distribution."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    uv("build", "--all-packages", "--wheel", "--quiet", "--out-dir", str(WHEELS))
    return {path.name.split("-")[0].replace("_", "-"): str(path) for path in WHEELS.glob("*.whl")}


@cache
def declarations() -> dict[str, dict]:
    """The `[project]` table of each package by the name of its distribution."""
    tables = (tomllib.loads(path.read_text())["project"] for path in ROOT.glob("packages/*/pyproject.toml"))
    return {table["name"]: table for table in tables}


def closure(folder: str) -> list[str]:
    """The distributions of the workspace that a package declares, itself first."""
    known = declarations()
    names = [tomllib.loads((ROOT / "packages" / folder / "pyproject.toml").read_text())["project"]["name"]]
    for name in names:  # grows while it is walked
        wanted = (re.match(r"[\w-]+", entry)[0] for entry in known[name]["dependencies"])
        names += [sibling for sibling in wanted if sibling in known and sibling not in names]
    return names


def link_mode() -> str:
    """Hard links where uv's cache is on the same disk, else symbolic ones: seven copies of torch fill a disk."""
    folder = Path(uv("cache", "dir").strip())
    folder.mkdir(parents=True, exist_ok=True)
    return "hardlink" if folder.stat().st_dev == ROOT.stat().st_dev else "symlink"


def uv(*arguments: str) -> str:
    """Run uv from the root and return what it prints."""
    return subprocess.run(["uv", *arguments], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def export(*options: str) -> str:
    """What uv.lock holds of other people's packages, as requirements without addresses."""
    scope = ["--all-packages", "--all-extras", "--all-groups", "--no-emit-workspace", "--no-annotate", "--no-header"]
    return uv("export", "--quiet", "--frozen", *scope, *options)


def pins(exported: str) -> list[str]:
    """One pin a package; where versions fork by Python, one each with its marker."""
    rows = [line.split(" ; ") for line in exported.splitlines()]
    names = [row[0].split("==")[0] for row in rows]
    return [" ; ".join(row) if names.count(name) > 1 else row[0] for name, row in zip(names, rows, strict=True)]


def write_pins(rows: list[str]) -> None:
    """Replace the list of constraints in pyproject.toml."""
    path = ROOT / "pyproject.toml"
    block = "constraint-dependencies = [\n" + "".join(f'    "{row}",\n' for row in rows) + "]"
    text, found = re.subn(r"^constraint-dependencies = \[.*?^\]", block, path.read_text(), flags=re.M | re.S)
    if found != 1:
        raise ValueError("`pyproject.toml` must hold one `constraint-dependencies` list.")
    path.write_text(text)
