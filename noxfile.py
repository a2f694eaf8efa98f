"""Sessions of the workspace on uv: each package tested alone, lint, docs, benchmarks, builds and pins."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from threading import current_thread

import nox

nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.sessions = ["lint", "tests"]

ROOT = Path(__file__).parent
WHEELS = ROOT / ".nox" / "wheels"
# In order of dependence, so that a fault shows first where it was made; the last one carries the workspace tests.
FOLDERS = [
    *(
        "asva-weights",
        "asva-audio",
        "asva-unet",
        "asva-dit",
        "asva-interp",
        "asva-data",
        "asva-keyframe",
        "asva-metrics",
    ),
    *("asva-eval", "asva-curate", "asva-pipelines", "asva-train", "asva-baselines", "asva-pages", "asva"),
]
# The lock takes nothing that was published after this day, at least three weeks back, so that every mirror has it.
EXCLUDE_NEWER = "2026-11-09"
# What ty may find in all packages; a change that finds less lowers it.
MOST_TYPE_FINDINGS = 133
# The tests of the workspace as a whole, with all packages installed.
WORKSPACE = "workspace"
TOGETHER = [FOLDERS[-1], WORKSPACE, *FOLDERS[:-1]]
# Set where another process has built the wheels.
BUILT = "ASVA_WHEELS_ARE_BUILT"
TEST_ENV = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg"}


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Test every package alone, two at a time, the longest ones first."""
    build_wheels()
    with ThreadPoolExecutor(2, thread_name_prefix=str(ROOT / ".nox" / "alone")) as threads:
        codes = dict(zip(TOGETHER, threads.map(partial(run_alone, session.posargs), TOGETHER), strict=True))
    if failed := [folder for folder, code in codes.items() if code]:
        session.error(f"Failed: {', '.join(failed)}")


@nox.session(reuse_venv=True)
def alone(session: nox.Session) -> None:
    """Test the wheels of packages, `-- asva-audio`, each in an environment that holds exactly what it declares."""
    folders = [word for word in session.posargs if word in TOGETHER] or TOGETHER
    options = [word for word in session.posargs if word not in folders]
    for folder in folders:
        test_alone(session, folder, options, "--constraints", "requirements.lock", "--exact")


@nox.session(python=["3.11", "3.12", "3.13"])
@nox.parametrize("folder", FOLDERS, ids=FOLDERS)
def tests_everywhere(session: nox.Session, folder: str) -> None:
    """The same on every supported Python that is installed."""
    test_alone(session, folder, session.posargs, "--constraints", "requirements.lock")


@nox.session
@nox.parametrize("folder", FOLDERS, ids=FOLDERS)
def lowest(session: nox.Session, folder: str) -> None:
    """Test each package with the oldest versions that it and its siblings say they take."""
    declared = [f"packages/{known_folders()[name]}/pyproject.toml" for name in closure(folder)]
    rows = [word for path in declared for word in ("--requirements", path)]
    test_alone(session, folder, session.posargs, "--resolution", "lowest-direct", *rows)


@nox.session
@nox.parametrize("folder", FOLDERS, ids=FOLDERS)
def newest(session: nox.Session, folder: str) -> None:
    """Test each package with the newest versions that its ranges take, without pins."""
    test_alone(session, folder, session.posargs)


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Check style and format, and the workflows for what an attacker could use."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Check types: no more findings than MOST_TYPE_FINDINGS, a number that only falls."""
    command = ["ty", "check", "--exit-zero", "--output-format", "concise"]
    found = str(session.run(*command, *[f"packages/{folder}/src" for folder in FOLDERS], silent=True)).splitlines()
    count = sum(bool(re.search(r": (error|warning)\[", line)) for line in found)
    if count > MOST_TYPE_FINDINGS:
        session.error("\n".join([*found, f"Types must have at most {MOST_TYPE_FINDINGS} findings, got {count}."]))
    if count < MOST_TYPE_FINDINGS:
        session.error(f"MOST_TYPE_FINDINGS must fall with the findings: set it to {count} in noxfile.py.")


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
def real(session: nox.Session) -> None:
    """Write a record of released weights that somebody has, `-- keyvid FOLDER`: hashes, keys, one clip."""
    session.run("python", "tools/real.py", *session.posargs)


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Print the speed of the building blocks, or run the script that is named after `--` with its options."""
    names = ("unet_forward", "avsyncd_unet", "mtv_forward", "audio_tokens", "flow", "decode")
    for command in [session.posargs] if session.posargs else [[f"benchmarks/{name}.py"] for name in names]:
        session.run("python", *command)


@nox.session(python=False)
def fuzz(session: nox.Session) -> None:
    """Give bad files to every reader for the seconds after `--`, an hour before a release; see docs/reliability.md."""
    session.run("python", "-m", "fuzz", *(session.posargs or ["60"]), env=TEST_ENV | {"PYTHONPATH": "tests"})


@nox.session(python=False)
def audit(session: nox.Session) -> None:
    """Ask the vulnerability database about every pin; it needs the network, and says so where there is none."""
    try:
        socket.create_connection(("api.osv.dev", 443), timeout=10).close()
    except OSError as error:
        session.error(f"The audit must reach api.osv.dev, got {error}: nothing was looked up")
    command = ["uv", "tool", "run", "pip-audit", "--strict", "--requirement", "requirements.lock"]
    session.run(*command, "--disable-pip", "--vulnerability-service", "osv", *session.posargs, external=True)


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Build the wheel and the source archive of every package into dist/."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("uv", "build", "--all-packages", "--out-dir", "dist", *session.posargs)


@nox.session(python=False)
def release(session: nox.Session) -> None:
    """Release a package on this machine, `-- asva-unet minor`: version, changelog, commit, tag, tried archives."""
    session.run("python", "tools/release.py", *session.posargs)


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Resolve anew as of EXCLUDE_NEWER and write every version with its hashes into requirements.lock."""
    if date.today() - date.fromisoformat(EXCLUDE_NEWER) < timedelta(weeks=3):
        session.error(f"EXCLUDE_NEWER must lie three weeks back, so that mirrors have followed, got {EXCLUDE_NEWER}.")
    session.run("uv", "lock", "--upgrade", "--exclude-newer", EXCLUDE_NEWER)
    scope = ["--all-packages", "--all-extras", "--all-groups", "--no-emit-workspace", "--no-annotate", "--no-header"]
    rows = uv("export", "--quiet", "--frozen", *scope)
    head = f"# Written by `nox -s lock`: the newest versions published up to {EXCLUDE_NEWER} that fit each other.\n"
    (ROOT / "requirements.lock").write_text(head + rows, encoding="utf-8")


def test_alone(session: nox.Session, folder: str, chosen: list[str], *options: str) -> None:
    """Install one package, its siblings' wheels and its test group under uv's options; run its tests, by the chosen."""
    wheels = build_wheels()
    session.env["UV_LINK_MODE"] = link_mode()
    package = FOLDERS[-1] if folder == WORKSPACE else folder
    group = f"packages/{package}/pyproject.toml:test"
    session.install(*(wheels[name] for name in closure(package)), "--no-sources", "--group", group, *options)
    session.run("uv", "pip", "check", external=True, silent=True)
    own = [folder.replace("-", "_"), f"packages/{folder}/tests"]  # the doctests of the installed modules, the tests
    targets = ["tests"] if folder == WORKSPACE else own
    session.run("pytest", "--pyargs", *targets, *chosen, env=TEST_ENV)


def run_alone(options: list[str], folder: str) -> int:
    """Test one package beside others, its name before each line; return the exit code."""
    home = ["--envdir", current_thread().name]
    command = [sys.executable, "-m", "nox", *home, "-s", "alone", "--", folder, *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "encoding": "utf-8"}
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {BUILT: "1"}, **pipes) as process:
        for line in process.stdout:
            print(f"{folder} | {line}", end="", flush=True)
    return process.returncode


@cache
def build_wheels() -> dict[str, str]:
    """Build every package once a run; the path of each wheel by the name of its distribution."""
    if BUILT not in os.environ:
        shutil.rmtree(WHEELS, ignore_errors=True)
        uv("build", "--all-packages", "--wheel", "--quiet", "--out-dir", str(WHEELS))
    return {path.name.split("-")[0].replace("_", "-"): str(path) for path in WHEELS.glob("*.whl")}


@cache
def known_folders() -> dict[str, str]:
    """The folder of each distribution of the workspace."""
    folders = [path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")]
    return {project(folder)["name"]: folder for folder in folders}


def project(folder: str) -> dict:
    """The `[project]` table of one package."""
    return declaration(folder)["project"]


def declaration(folder: str) -> dict:
    """What one package declares."""
    return tomllib.loads((ROOT / "packages" / folder / "pyproject.toml").read_text(encoding="utf-8"))


def closure(folder: str) -> list[str]:
    """The distributions of the workspace that a package declares, itself first."""
    folders = known_folders()
    names = [project(folder)["name"]]
    tested_with = declaration(folder)["dependency-groups"]["test"]
    for name in names:  # grows while it is walked
        entries = project(folders[name])["dependencies"] + (tested_with if name == names[0] else [])
        wanted = (re.match(r"[\w-]+", entry)[0] for entry in entries)
        names += [sibling for sibling in wanted if sibling in folders and sibling not in names]
    return names


def link_mode() -> str:
    """Hard links where uv's cache is on the same disk, else symbolic ones: seven copies of torch fill a disk."""
    folder = Path(uv("cache", "dir").strip())
    folder.mkdir(parents=True, exist_ok=True)
    return "hardlink" if folder.stat().st_dev == ROOT.stat().st_dev else "symlink"


def uv(*arguments: str) -> str:
    """Run uv from the root and return what it prints."""
    return subprocess.run(["uv", *arguments], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
