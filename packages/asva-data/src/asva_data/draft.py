"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Numbers of errors that are the disk's."""


@contextmanager
def draft_of(path: Path) -> Generator[Path]:
    """A name beside a file to write to: it takes the file's place at the end, and after an error nothing is left."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(path)
    finally:  # also after Ctrl-C
        part.unlink(missing_ok=True)
