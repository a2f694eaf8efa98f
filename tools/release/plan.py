"""What a release of a package would be: which package, from which version to which."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

PARTS = ("major", "minor", "patch", "first")


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
