"""The videos of a split: their files, classes and captions, from the lists that lie beside them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from asva_weights.text import read_text, reading, text_lines

from ..clip import MediaError
from ..listing import class_of, video_files
from .layouts import LAYOUTS, Layout, detect_layout

VGGSOUND = "vggsound.csv"
Split = Literal["train", "test", "all"]


class Entry(NamedTuple):
    """A video of a split, whether its file exists or not.

    Attributes:
        path: The file.
        class_name: Its class as the folder has it.
        caption: Its class in words, or as `class_mapping.json` says.
        start: Seconds at which the part begins that belongs to the set, or None for all of the file.
        end: Seconds at which it ends, or None.
    """

    path: Path
    class_name: str
    caption: str
    start: float | None = None
    end: float | None = None


class Taken(NamedTuple):
    """The videos of a folder that belong to a split.

    Attributes:
        entries: The videos.
        videos: The folder below which they lie.
        listed: Where their list stands; None where there is none, and every file is taken.
        left_out: Videos of the folder that the list does not name.
    """

    entries: list[Entry]
    videos: Path
    listed: Path | None
    left_out: int


def take_split(folder: Path, split: Split) -> Taken:
    """The videos of a split in a folder that is a dataset, or lies within the videos of one.

    A folder without lists, and the split "all", give every file.

    Raises:
        MediaError: If the folder does not exist or holds no video, the list is missing, or none of it lies there.
    """
    found = None if split == "all" else _dataset_of(folder)
    if found is None:
        return Taken(list(_from_folder(folder, LAYOUTS["folder"], "all", _mapping(folder))), folder, None, 0)
    home, layout = found
    here = Path(os.path.abspath(folder))
    entries = [entry for entry in read_split(home, layout, split) if entry.path.is_relative_to(here)]
    listed = home / (VGGSOUND if layout.lists == "vggsound" else f"{split}.txt")
    if not entries:
        raise MediaError(f"`root` must hold videos that {listed} names for {split}, got none in {folder}.")
    others = set(video_files(here)) - {entry.path for entry in entries}
    return Taken(entries, home / layout.videos.format(split=split) if here == home else here, listed, len(others))


def _dataset_of(folder: Path) -> tuple[Path, Layout] | None:
    """The dataset that a folder is, or within whose videos it lies; None where no list tells what videos are for."""
    here = Path(os.path.abspath(folder))
    for home in (here, *here.parents):
        if home == here or here.is_relative_to(home / "videos"):
            layout = detect_layout(home)
            if layout.lists != "none":
                return home, layout
    return None


def read_split(
    root: str | os.PathLike, layout: Layout, split: str = "train", *, listed: Path | None = None
) -> list[Entry]:
    """Every video that a list names, in its order.

    Args:
        root: Folder of the dataset.
        layout: How it lies on disk.
        split: "train" or "test"; "all" for a plain folder.
        listed: Another list in place of the dataset's own, of the form of `train.txt`.

    Raises:
        MediaError: If the list is missing or empty, a line leads out of the folder, or a number in it is none.
    """
    root = Path(root)
    if listed is None:
        entries = list(_READERS[layout.lists](root, layout, split, _mapping(root)))
    else:
        entries = list(_from_text(listed, root / layout.videos.format(split=split), layout, _mapping(root)))
    if not entries:
        raise MediaError(f"`split` must hold videos, got none in {split!r} of {root}.")
    return entries


def split_names(root: Path, layout: Layout) -> list[str]:
    """The splits that a folder has."""
    if layout.lists == "none":
        return ["all"]
    if layout.lists == "vggsound":
        found = {row[3] for row in _vggsound_rows(root)}
        return [name for name in ("train", "test") if name in found]
    return [name for name in ("train", "test") if (root / f"{name}.txt").is_file()]


def within(root: Path, name: str) -> Path:
    """The file of a relative name below `root`.

    Raises:
        MediaError: If the name leads elsewhere.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
        raise MediaError(f"`path` must stay below {root}, got {name!r}.")
    return root / pure


def _from_lists(root: Path, layout: Layout, split: str, mapping: dict[str, str]) -> Iterator[Entry]:
    return _from_text(root / f"{split}.txt", root / layout.videos.format(split=split), layout, mapping)


def _from_text(listed: Path, folder: Path, layout: Layout, mapping: dict[str, str]) -> Iterator[Entry]:
    if not listed.is_file():
        raise MediaError(f"`split` must have a list, got no {listed}; write one path below the videos in each line.")
    with reading(listed, "`split` must have a list of paths", MediaError):
        lines = read_text(listed).splitlines()
    for line in lines:
        if line.strip():
            name, start, end = _parts(line.strip(), listed)
            yield _entry(within(folder, name), folder, layout, mapping, start, end)


def _parts(line: str, listed: Path) -> tuple[str, float | None, float | None]:
    """Path, start and end of a line; commas may be part of a name."""
    name, *times = line.rsplit(",", 2)
    if len(times) < 2:
        return line, None, None
    try:
        start, end = (float(time) for time in times)
    except ValueError:
        return line, None, None
    if not 0 <= start < end:
        raise MediaError(f"`start` must be 0 or more and below `end`, got {line!r} in {listed}.")
    return name, start, end


def _from_vggsound(root: Path, layout: Layout, split: str, mapping: dict[str, str]) -> Iterator[Entry]:
    folder = root / layout.videos
    for video, start, label, part in _vggsound_rows(root):
        if part != split:
            continue
        name = f"{video}_{int(start.strip()):06d}.mp4"
        flat = within(folder, name)
        path = flat if flat.is_file() else within(folder, f"{label.replace(' ', '_').replace(',', '')}/{name}")
        yield Entry(path if path.is_file() else flat, label, mapping.get(label, label))


def _vggsound_rows(root: Path) -> list[list[str]]:
    path = root / VGGSOUND
    if not path.is_file():
        raise MediaError(f"`root` must hold {VGGSOUND}, got none in {root}.")
    with reading(path, f"`{VGGSOUND}` must be a table", MediaError):
        rows = [row for row in csv.reader(text_lines(path)) if row]
    wrong = [row for row in rows if len(row) != 4 or not row[1].strip().isdecimal()]
    if wrong:
        raise MediaError(f"`{VGGSOUND}` must have id, start, label, split in each row, got {wrong[0]} in {path}.")
    return rows


def _from_folder(root: Path, layout: Layout, split: str, mapping: dict[str, str]) -> Iterator[Entry]:
    for path in video_files(root):
        yield _entry(path, root, layout, mapping)


def _entry(path: Path, folder: Path, layout: Layout, mapping: dict[str, str], *times: float | None) -> Entry:
    name = layout.class_name or ("" if path.parent == folder else path.parent.name)
    words = layout.class_name or " ".join(class_of(path, folder).split())
    return Entry(path, name, mapping.get(name, words), *times)


def _mapping(root: Path) -> dict[str, str]:
    """Class to words, from `class_mapping.json`; empty without one."""
    path = root / "class_mapping.json"
    if not path.is_file():
        return {}
    with reading(path, "`class_mapping.json` must be JSON", MediaError):
        mapping = json.loads(read_text(path))
    if not isinstance(mapping, dict) or not all(isinstance(words, str) for words in mapping.values()):
        raise MediaError(f"`class_mapping.json` must map names to words, got something else in {path}.")
    return mapping


_READERS = {"txt": _from_lists, "vggsound": _from_vggsound, "none": _from_folder}
