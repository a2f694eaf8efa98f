"""What must hold before anything is written: a clean tree, a new tag, a changelog that says something."""

from __future__ import annotations

import re

from .commands import git
from .plan import PARTS, Release, ReleaseError
from .writing import OPEN_SECTION


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
    section = OPEN_SECTION.split((release.folder / "CHANGELOG.md").read_text(encoding="utf-8"))
    said = re.split(r"^## ", section[1], maxsplit=1, flags=re.M)[0] if len(section) == 2 else ""
    if not re.search(r"^- ", said, re.M):
        raise ReleaseError(
            f"`{release.folder.name}/CHANGELOG.md` must hold one section `## Unreleased` that says what changed."
        )
