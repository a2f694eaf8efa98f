"""The split of a dataset: read from its lists, or drawn once per class and held in lists from then on."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..clip import MediaError
from ..draft import draft_of
from ..listing import check_name, video_files
from .layouts import detect_layout, get_layout
from .splits import read_split, split_names

PART = re.compile(r"(_\d{6}){1,2}(?=[_-]|$).*")
"""Times at the end of a name, as VGGSound, AVSync15 and `prepare_dataset` write them; before them, the recording."""


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """How the videos of a dataset are split.

    Attributes:
        layout: Name of the layout.
        classes: Of each split, videos by class.
        unlisted: Videos of the folder that no list names, which nothing takes.
        drawn: Whether the lists were written now.
    """

    layout: str
    classes: dict[str, dict[str, int]]
    unlisted: int
    drawn: bool


def split_dataset(
    root: str | os.PathLike, *, layout: str | None = None, test_share: float = 0.1, seed: int = 0
) -> SplitReport:
    """Tell the split of a dataset; where no list is there yet, draw one and write `train.txt` and `test.txt`.

    Args:
        root: Folder of the dataset, whose videos lie below ``videos``.
        layout: Name of its layout, or None: what `detect_layout` says, avsync15 for a folder without lists.
        test_share: See `draw_test`.
        seed: Another seed, another draw.

    Raises:
        MediaError: If there are no videos, or an argument is out of range.
    """
    root = Path(root)
    form = detect_layout(root) if layout is None else get_layout(layout)
    form = get_layout("avsync15") if form.lists == "none" else form
    if not 0 <= test_share < 1:
        raise MediaError(f"`test_share` must be from 0 to below 1, got {test_share}.")
    drawn = not split_names(root, form)
    if drawn:
        if "{split}" in form.videos:
            raise MediaError(
                f"`root` must hold train.txt and test.txt in the layout {form.name}, got neither in {root}."
            )
        folder = root / form.videos
        paths = video_files(folder)
        for path in paths:
            check_name(path)
        recordings: dict[str, set[str]] = {}
        for path in paths:
            recordings.setdefault(path.parent.as_posix(), set()).add(_recording(path))
        test = draw_test(recordings, test_share, seed)
        for split in ("train", "test"):
            names = [p.relative_to(folder).as_posix() for p in paths if (_recording(p) in test) == (split == "test")]
            with draft_of(root / f"{split}.txt") as draft:
                draft.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    entries = {split: read_split(root, form, split) for split in split_names(root, form)}
    listed = {entry.path for some in entries.values() for entry in some}
    there = {path for split in entries for path in video_files(root / form.videos.format(split=split))}
    classes = {split: dict(Counter(entry.class_name for entry in some)) for split, some in entries.items()}
    return SplitReport(layout=form.name, classes=classes, unlisted=len(there - listed), drawn=drawn)


def _recording(path: Path) -> str:
    return PART.sub("", path.stem)


def draw_test(recordings: Mapping[str, Collection[str]], share: float, seed: int = 0) -> set[str]:
    """Recordings that go to the test: of every class the share, rounded, but at least one of several and never all.

    The draw depends on the recordings' names alone; one that has several classes counts in each.

    Args:
        recordings: Their names, by class.
        share: 0 draws none, 1 all.
        seed: Another seed, another draw.
    """
    test: set[str] = set()
    seen: set[str] = set()
    for _, names in sorted(recordings.items()):
        count = int(share * len(names) + 0.5)
        if 0 < share < 1:
            count = min(max(count, 1), len(names) - 1)
        free = sorted(set(names) - seen, key=lambda name: _digest(name, seed))
        test |= set(free[: max(count - len(test.intersection(names)), 0)])
        seen.update(names)
    return test


def _digest(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode(errors="surrogateescape")).digest()
