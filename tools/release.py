"""The release of one package, `nox -s release -- asva-unet minor`; nothing is sent: pushing the tag publishes it."""

import datetime
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement

PARTS = ("major", "minor", "patch", "first")
OPEN_SECTION = r"^## (?:\S+ \(unreleased\)|Unreleased)\n(?=(?:(?!## ).*\n)*?- )"  # one with entries
NOBODY = ["--trusted-publishing", "never", "--username", "nobody", "--password", "none"]


def release(root: Path, package: str, part: str) -> str:
    """Release the package of a folder, `first` the version as it stands; a failure leaves all as it was."""
    folder, today = root / "packages" / package, datetime.datetime.now(datetime.UTC).date()
    if not (folder / "pyproject.toml").is_file() or part not in PARTS:
        raise ValueError(f"`package` must be a folder of packages, and `part` one of {', '.join(PARTS)}.")
    if changed := run(root, "git", "status", "--porcelain"):
        raise ValueError(f"The working tree must be clean, commit or stash first, got:\n{changed.rstrip()}")
    try:
        if part != "first":
            run(root, "uv", "version", "--quiet", "--frozen", "--package", project(folder)["name"], "--bump", part)
        name, new = project(folder)["name"], project(folder)["version"]
        tag, title = f"{name}-v{new}", f"Release {name} {new}"
        if run(root, "git", "tag", "--list", tag):
            raise ValueError(f"Tag '{tag}' exists: choose another part of {', '.join(PARTS)}.")
        if strict := outside(root, name, new):
            raise ValueError(f"Ranges on {name} must hold {new}, change them and their changelogs, got:\n{strict}")
        replace(folder / "CHANGELOG.md", OPEN_SECTION, f"## {new} ({today})\n")
        if package == "asva":
            dated = f"version: {new}\ndate-released: {today}"
            replace(root / "CITATION.cff", "^version: .*\ndate-released: .*$", dated)
        run(root, "uv", "build", "--quiet", "--package", name, "--out-dir", f"dist/{tag}")
        run(root, "uv", "publish", "--quiet", "--dry-run", *NOBODY, f"dist/{tag}/*{new}*")
        run(root, "git", "commit", "--quiet", "--all", "--message", title)
        run(root, "git", "tag", "--annotate", tag, "--message", title)
    except BaseException:
        run(root, "git", "checkout", "--quiet", "--", ".")
        raise
    return tag


def outside(root: Path, name: str, version: str) -> str:
    """Requirements of siblings that a version does not meet, a line each; uv takes any version without a word."""
    found = ""
    for path in sorted(root.glob("packages/*/pyproject.toml")):
        extras = project(path.parent).get("optional-dependencies", {}).values()
        for entry in chain(project(path.parent)["dependencies"], *extras):
            wanted = Requirement(entry)
            found += f"{path.parent.name}: {entry}\n" * (wanted.name == name and version not in wanted.specifier)
    return found


def project(folder: Path) -> dict:
    """The `[project]` table of a package."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def replace(path: Path, pattern: str, text: str) -> None:
    """Write what a release changes in a file, which must hold it once."""
    written, count = re.subn(pattern, text, path.read_text(encoding="utf-8"), flags=re.M | re.I)
    if count != 1:
        raise ValueError(f"`{path.name}` of {path.parent.name} must hold what a release replaces once: {pattern}")
    path.write_text(written, encoding="utf-8")


def run(root: Path, *command: str) -> str:
    """Run a program in the workspace and return what it prints."""
    return subprocess.run(command, cwd=root, check=True, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    print("Publish it: git push origin HEAD", release(Path(__file__).parents[1], *sys.argv[1:]))
