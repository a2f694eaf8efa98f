"""What lies in a folder of videos: files in a fixed order, their captions, and their stored motion scores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from asva_weights.text import read_table, read_text, reading

from .clip import MediaError
from .info import MediaInfo

ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg", ".flv", ".wmv")


def video_files(root: Path) -> list[Path]:
    """Every video below `root`, sorted by its path with forward slashes, so that the order is the same everywhere."""
    if not root.is_dir():
        raise MediaError(f"`root` must be an existing folder, got {root}.")
    files = (path for path in root.rglob("*") if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    return sorted((path for path in files if path.is_file()), key=lambda path: path.relative_to(root).as_posix())


def printable(path: str | os.PathLike) -> str:
    """A path as text that every file and terminal can hold: bytes that are no UTF-8 become ``\\xff`` and the like."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def check_name(path: str | os.PathLike) -> None:
    """See that tables can name a file.

    Raises:
        MediaError: If its path is no UTF-8.
    """
    if printable(path) != str(path):
        raise MediaError(f"`path` must be UTF-8, so that tables can name it, got {printable(path)}; rename it.")


def class_of(path: Path, root: Path) -> str:
    """The name of the folder that holds a file, underscores as spaces; empty for a file in `root` itself."""
    return "" if path.parent == root else path.parent.name.replace("_", " ")


class Captions:
    """The caption of each file: its folder's name, a text file beside it, or a row of a table."""

    def __init__(self, root: Path, source: str | os.PathLike) -> None:
        self.root, self.source = root, source
        self.table = {} if source in ("folder", "txt") else _read_table(Path(source))

    def __call__(self, entry: Any) -> str:
        """The caption of one video, an :class:`~asva_data.datasets.splits.Entry`.

        Raises:
            MediaError: If it has none.
        """
        path = entry.path
        if self.source == "folder":
            return entry.caption
        if self.source == "txt":
            text = path.with_suffix(".txt")
            if not text.is_file():
                raise MediaError(f"`caption` must lie beside each video, got no {text}.")
            with reading(text, "`caption` must be text", MediaError):
                return read_text(text).strip()
        name = path.relative_to(self.root).as_posix()
        if name not in self.table:
            raise MediaError(f"`caption` must have a row for each video, got none for {name} in {self.source}.")
        return self.table[name]


def _read_table(path: Path) -> dict[str, str]:
    with reading(path, "`caption` must be 'folder', 'txt' or a .csv or .jsonl with `path` and `caption`", MediaError):
        return {row["path"]: row["caption"] for row in read_table(path)}


def score_file(path: Path, root: Path, motion_scores: str | os.PathLike) -> Path:
    """Where the scores of a video are stored: beside it, or at the same place below another folder."""
    if str(motion_scores) == "beside":
        return path.with_suffix(".npy")
    return Path(motion_scores) / path.relative_to(root).with_suffix(".npy")


def read_scores(path: Path) -> np.ndarray:
    """Stored motion scores, one for each pair of neighbouring frames of the file.

    Raises:
        MediaError: If they are missing, not one-dimensional or not finite.
    """
    with reading(path, "`motion_scores` must hold a .npy for each video", MediaError):
        scores = np.asarray(np.load(path, allow_pickle=False), np.float32)
    if scores.ndim != 1 or not scores.size or not np.isfinite(scores).all():
        raise MediaError(f"`motion_scores` must be finite and of shape (t - 1,), got {scores.shape} in {path}.")
    return scores


def scores_at(path: Path, info: MediaInfo, times: np.ndarray) -> np.ndarray:
    """(t,) float32 stored scores at seconds of a file: score j is the motion that ends with the file's frame j + 1.

    Raises:
        MediaError: As `read_scores`.
    """
    scores = read_scores(path)
    return np.interp(times, info.start + (np.arange(len(scores)) + 1) / info.fps, scores).astype(np.float32)
