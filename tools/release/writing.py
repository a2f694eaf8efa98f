"""What a release writes: the version, the date in the changelog, the ranges and changelogs of siblings."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from .plan import Release, ReleaseError

OPEN_SECTION = re.compile(r"^## (?:\S+ \(unreleased\)|Unreleased)$", re.M | re.I)


def write(release: Release, date: datetime.date) -> list[Path]:
    """Write version, changelog and the ranges of siblings; returns the files that changed."""
    declared, told = release.folder / "pyproject.toml", release.folder / "CHANGELOG.md"
    changed = [
        substitute(declared, rf'^version = "{re.escape(str(release.old))}"$', f'version = "{release.new}"'),
        substitute(told, OPEN_SECTION, f"## {release.new} ({date.isoformat()})"),
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
    opened = OPEN_SECTION.search(text)
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
