"""``python -m tools.release PACKAGE PART``."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from . import PARTS, ReleaseError, __doc__, release


def main(arguments: list[str]) -> None:
    """Release one package, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", help="folder below packages, or name of the distribution")
    parser.add_argument("part", choices=PARTS, help="of the version to count up; first: the version as it stands")
    given = parser.parse_args(arguments)
    try:
        done = release(Path(__file__).parents[2], given.package, given.part)
    except ReleaseError as error:
        raise SystemExit(f"error: {error}") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"error: `{shlex.join(map(str, error.cmd))}` failed, see above.") from None
    print(f"{done.tag}: committed, tagged, built and tried in dist/{done.tag}.")
    print(f"Tests are not part of it: uv run nox -s 'tests({done.folder.name})'.")
    # Three tags at most in one push: GitHub starts nothing for more.
    print(f"Then publish it: git push origin HEAD {done.tag}")


if __name__ == "__main__":
    main(sys.argv[1:])
