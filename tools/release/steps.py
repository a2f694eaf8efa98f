"""The whole release, step after step; what fails leaves everything as it was."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

from .archives import build, check_archives, publish_dry, siblings_of, try_wheel
from .checks import check
from .commands import git
from .plan import Release, plan
from .writing import write


def release(root: Path, package: str, part: str, *, install: bool = True) -> Release:
    """Release one package on this machine: everything but the push.

    The archives are built and tried before anything is committed; where something fails, the files are put back.
    """
    planned = plan(root, package, part)
    check(planned)
    try:
        changed = write(planned, datetime.datetime.now(datetime.UTC).date())
        archives = build(planned, root / "dist" / planned.tag)
        check_archives(planned, archives)
        if install:
            with tempfile.TemporaryDirectory() as beside:
                try_wheel(planned, archives[0], siblings_of(planned, Path(beside)))
        publish_dry(planned, archives)
        commit(planned, changed)
    except BaseException:
        put_back(root)
        raise
    return planned


def commit(release: Release, changed: list[Path]) -> None:
    """Commit what was written, and tag it."""
    names = [str(path.relative_to(release.root)) for path in dict.fromkeys(changed)]
    title = f"Release {release.name} {release.new}"
    git(release.root, "commit", "--quiet", "--message", title, "--", *names)
    git(release.root, "tag", "--annotate", release.tag, "--message", title)


def put_back(root: Path) -> None:
    """Undo what `write` can have written, which was committed before; other files may have been worked on since."""
    cited = ["CITATION.cff"] if (root / "CITATION.cff").is_file() else []
    git(root, "checkout", "--quiet", "--", "packages/*/pyproject.toml", "packages/*/CHANGELOG.md", *cited)
