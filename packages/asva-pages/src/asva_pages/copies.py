"""Copies of videos that any browser plays, made when they are first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path


class Copies:
    """A folder of files by key; one is made at a time.

    Args:
        folder: Where they lie; those that are there are kept.
        most: Files that are held; the one that was asked for longest ago goes first. None keeps all.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        self.folder, self.most, self._making = folder, most, threading.Lock()
        self._held: OrderedDict[str, Path] = OrderedDict()

    def get(self, key: str, make: Callable[[Path], object]) -> Path:
        """The copy of a key, which `make` writes to a path whole or not at all if it is not there."""
        with self._making:
            path = self._held.setdefault(key, self.folder / f"{key}.mp4")
            if not path.exists():
                make(path)
            self._held.move_to_end(key)
            while self.most is not None and len(self._held) > self.most:
                self._held.popitem(last=False)[1].unlink(missing_ok=True)
            return path
