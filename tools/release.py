"""The release of one package: its version, changelog and siblings, a commit and a tag, archives that were tried.

``nox -s release -- asva-unet minor`` does all of it here and sends nothing anywhere. Pushing the tag publishes: see
.github/workflows/publish.yml.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.metadata import Metadata, parse_email
from packaging.requirements import Requirement
from packaging.version import Version

PARTS = ("major", "minor", "patch", "first")
_OPEN = re.compile(r"^## (?:\S+ \(unreleased\)|Unreleased)$", re.M | re.I)


class ReleaseError(ValueError):
    """What must be put right before a package can be released."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a release changes.

    Attributes:
        root: Of the workspace.
        folder: Of the package.
        name: Of its distribution.
        old: Its version.
        new: Its next version.
    """

    root: Path
    folder: Path
    name: str
    old: Version
    new: Version

    @property
    def tag(self) -> str:
        """Name of the tag, which starts the publication."""
        return f"{self.name}-v{self.new}"

    @property
    def range(self) -> str:
        """What siblings ask for: this version, until one that may break them."""
        first, second = self.new.release[:2]
        return f">={first}.{second},<{first}.{second + 1}" if first == 0 else f">={first}.{second},<{first + 1}"


def plan(root: Path, package: str, part: str) -> Release:
    """What a release of a package would be.

    Args:
        root: Of the workspace.
        package: Its folder below ``packages``, or the name of its distribution.
        part: `"major"`, `"minor"` or `"patch"` to count up; `"first"` releases the version as it stands.

    Raises:
        ReleaseError: If there is no such package or part.
    """
    if part not in PARTS:
        raise ReleaseError(f"`part` must be one of {', '.join(PARTS)}, got '{part}'.")
    projects = {path.parent: project(path.parent) for path in sorted(root.glob("packages/*/pyproject.toml"))}
    found = [folder for folder, entry in projects.items() if package in (folder.name, entry["name"])]
    if not found:
        raise ReleaseError(
            f"`package` must be one of {', '.join(folder.name for folder in projects)}, got '{package}'."
        )
    old = Version(projects[found[0]]["version"])
    return Release(root=root, folder=found[0], name=projects[found[0]]["name"], old=old, new=count_up(old, part))


def project(folder: Path) -> dict:
    """The ``[project]`` table of a package."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def count_up(version: Version, part: str) -> Version:
    """The next version.

    >>> str(count_up(Version("0.1.3"), "minor"))
    '0.2.0'
    """
    major, minor, patch = version.release
    following = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}
    return version if part == "first" else Version("{}.{}.{}".format(*following[part]))


def check(release: Release) -> None:
    """Refuse what could not be released as it stands.

    Raises:
        ReleaseError: If something is not committed, the tag exists, or the changelog says nothing new.
    """
    changed = git(release.root, "status", "--porcelain")
    if changed:
        raise ReleaseError(f"The working tree must be clean: commit or stash first.\n{changed.rstrip()}")
    if git(release.root, "tag", "--list", release.tag):
        raise ReleaseError(f"Tag '{release.tag}' exists: choose another part of {', '.join(PARTS)}.")
    section = _OPEN.split((release.folder / "CHANGELOG.md").read_text(encoding="utf-8"))
    said = re.split(r"^## ", section[1], maxsplit=1, flags=re.M)[0] if len(section) == 2 else ""
    if not re.search(r"^- ", said, re.M):
        raise ReleaseError(
            f"`{release.folder.name}/CHANGELOG.md` must hold one section `## Unreleased` that says what changed."
        )


def write(release: Release, date: datetime.date) -> list[Path]:
    """Write version, changelog and the ranges of siblings; returns the files that changed."""
    declared, told = release.folder / "pyproject.toml", release.folder / "CHANGELOG.md"
    changed = [
        substitute(declared, rf'^version = "{re.escape(str(release.old))}"$', f'version = "{release.new}"'),
        substitute(told, _OPEN, f"## {release.new} ({date.isoformat()})"),
    ]
    for path in sorted(release.root.glob("packages/*/pyproject.toml")):
        if needs_new_range(path, release):
            pattern = rf'"({re.escape(release.name)}(?:\[[\w,-]+\])?)[<>=!~][^"]*"'
            changed.append(substitute(path, pattern, rf'"\g<1>{release.range}"'))
            changed.append(tell_sibling(path.with_name("CHANGELOG.md"), release))
    citation = release.root / "CITATION.cff"
    if release.folder.name == "asva" and citation.is_file():
        substitute(citation, r"^version: .*$", f"version: {release.new}")
        changed.append(substitute(citation, r"^date-released: .*$", f"date-released: {date.isoformat()}"))
    return [path for path in changed if path is not None]


def needs_new_range(path: Path, release: Release) -> bool:
    """Whether a package asks for a version that the released one is not."""
    declared = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = declared.get("optional-dependencies", {}).values()
    wanted = [Requirement(entry) for entries in (declared.get("dependencies", []), *extras) for entry in entries]
    return any(entry.name == release.name and release.new not in entry.specifier for entry in wanted)


def tell_sibling(changelog: Path, release: Release) -> Path:
    """A line in the changelog of a package whose range moved."""
    line = f"- Needs `{release.name}` {release.new.release[0]}.{release.new.release[1]}.\n"
    text = changelog.read_text(encoding="utf-8")
    opened = _OPEN.search(text)
    if opened is None:
        start = text.index("\n## ") + 1
        text = f"{text[:start]}## Unreleased\n\n### Changed\n\n{line}\n{text[start:]}"
    else:
        head, (section, *older) = (
            text[: opened.end()],
            re.split(r"^(?=## )", text[opened.end() :], maxsplit=1, flags=re.M),
        )
        heading = "\n\n### Changed\n\n"
        if heading in section:
            section = section.replace(heading, heading + line, 1)
        else:
            section = f"{heading}{line.rstrip()}{section}"
        text = head + section + "".join(older)
    changelog.write_text(text, encoding="utf-8")
    return changelog


def substitute(path: Path, pattern: str | re.Pattern, text: str) -> Path:
    """Replace what a pattern finds; it must find something.

    Raises:
        ReleaseError: If it finds nothing.
    """
    pattern = re.compile(pattern, re.M) if isinstance(pattern, str) else pattern
    count = 0 if pattern.pattern.startswith('"') else 1
    written, found = pattern.subn(text, path.read_text(encoding="utf-8"), count=count)
    if not found:
        raise ReleaseError(
            f"`{path.name}` of {path.parent.name} must hold what the release replaces: {pattern.pattern}"
        )
    path.write_text(written, encoding="utf-8")
    return path


def commit(release: Release, changed: list[Path]) -> None:
    """Commit what was written, and tag it."""
    names = [str(path.relative_to(release.root)) for path in dict.fromkeys(changed)]
    title = f"Release {release.name} {release.new}"
    git(release.root, "commit", "--quiet", "--message", title, "--", *names)
    git(release.root, "tag", "--annotate", release.tag, "--message", title)


def build(release: Release, out: Path) -> list[Path]:
    """Wheel and source archive of the package."""
    uv(release.root, "build", "--package", release.name, "--quiet", "--out-dir", str(out))
    stem = f"{release.name.replace('-', '_')}-{release.new}"
    return [next(out.glob(f"{stem}-*.whl")), out / f"{stem}.tar.gz"]


def check_archives(release: Release, archives: list[Path]) -> None:
    """Whether the metadata is right and what belongs inside is there.

    Raises:
        ReleaseError: If the version is another, something is missing, or something is there that should not be.
    """
    wheel, source = archives
    with zipfile.ZipFile(wheel) as file:
        inside = file.namelist()
        text = file.read(next(name for name in inside if name.endswith(".dist-info/METADATA")))
    raw, unknown = parse_email(text)
    metadata = Metadata.from_raw(raw, validate=True)
    if unknown or (metadata.name, metadata.version) != (release.name, release.new) or not metadata.description:
        raise ReleaseError(
            f"`{wheel.name}` must describe {release.name} {release.new}, got {metadata.name}, {unknown}."
        )
    with tarfile.open(source) as file:
        sources = file.getnames()
    for name, names in ((wheel.name, inside), (source.name, sources)):
        for wanted in ("py.typed", "LICENSE", "__init__.py"):
            if not any(Path(entry).name == wanted for entry in names):
                raise ReleaseError(f"`{name}` must hold {wanted}.")
        if any("__pycache__" in entry or "/tests/" in entry for entry in names):
            raise ReleaseError(f"`{name}` must hold neither tests nor caches.")


def try_wheel(release: Release, wheel: Path, siblings: list[Path]) -> None:
    """Install the wheel where nothing else is, and import every public name."""
    module = release.folder.name.replace("-", "_")
    with tempfile.TemporaryDirectory() as home:
        uv(release.root, "venv", "--quiet", home)
        python = Path(home, "Scripts/python.exe" if os.name == "nt" else "bin/python")
        pins = release.root / "requirements.lock"
        held = ["--constraints", str(pins)] if pins.is_file() else []
        uv(release.root, "pip", "install", "--quiet", "--python", str(python), *held, *map(str, (wheel, *siblings)))
        code = f"import {module} as m; [getattr(m, name) for name in getattr(m, '__all__', [])]; print(m.__file__)"
        subprocess.run([str(python), "-I", "-c", code], cwd=home, check=True, stdout=subprocess.DEVNULL)


def siblings_of(release: Release, out: Path) -> list[Path]:
    """Wheels of the packages here that it needs, for they may not be published yet."""
    here = {project(path.parent)["name"]: path.parent for path in release.root.glob("packages/*/pyproject.toml")}
    names = [release.name]
    for name in names:  # grows while it is walked
        wanted = (Requirement(entry).name for entry in project(here[name]).get("dependencies", []))
        names += [one for one in wanted if one in here and one not in names]
    for name in names[1:]:
        uv(release.root, "build", "--package", name, "--wheel", "--quiet", "--out-dir", str(out))
    return sorted(out.glob("*.whl"))


def publish_dry(release: Release, archives: list[Path]) -> None:
    """What the publication would send, sent nowhere."""
    options = ["--dry-run", "--trusted-publishing", "never", "--username", "nobody", "--password", "none"]
    uv(release.root, "publish", *options, *map(str, archives))


def git(root: Path, *arguments: str) -> str:
    """Run git in the workspace and return what it prints."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, text=True, stdout=subprocess.PIPE).stdout


def uv(root: Path, *arguments: str) -> None:
    """Run uv in the workspace."""
    subprocess.run(["uv", *arguments], cwd=root, check=True)


def release(root: Path, package: str, part: str, *, install: bool = True) -> Release:
    """Release one package on this machine: everything but the push.

    The archives are built and tried before anything is committed; where that fails, the files are put back.
    """
    planned = plan(root, package, part)
    check(planned)
    changed = write(planned, datetime.datetime.now(datetime.UTC).date())
    try:
        out = root / "dist" / planned.tag
        archives = build(planned, out)
        check_archives(planned, archives)
        if install:
            with tempfile.TemporaryDirectory() as beside:
                try_wheel(planned, archives[0], siblings_of(planned, Path(beside)))
        publish_dry(planned, archives)
    except (ReleaseError, subprocess.CalledProcessError):
        git(root, "checkout", "--quiet", "--", *(str(path) for path in changed))
        raise
    commit(planned, changed)
    return planned


def main(arguments: list[str]) -> None:
    """``release.py PACKAGE PART``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", help="folder below packages, or name of the distribution")
    parser.add_argument("part", choices=PARTS, help="of the version to count up; first: the version as it stands")
    given = parser.parse_args(arguments)
    try:
        done = release(Path(__file__).parents[1], given.package, given.part)
    except ReleaseError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{done.tag}: committed, tagged, built and tried in dist/{done.tag}.")
    print(
        f"Tests are not part of it: uv run nox -s 'tests({done.folder.name})'. Then git push --follow-tags publishes."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
