"""What is missing or broken in a dataset, said before anyone trains on it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clip import MediaError
from .datasets.encodings import encoding_of, load_text_encodings
from .datasets.layouts import Layout, detect_layout, get_layout
from .datasets.splits import Entry, read_split, split_names
from .decode import iter_frames
from .info import probe
from .listing import check_name, read_scores, video_files
from .sound import read_sound


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something to know about a dataset.

    Attributes:
        kind: missing, unreadable, mute, short, part, twice, both-splits, unlisted, count, list, encoding, motion-score.
        path: The file or list it is about.
        message: What is wrong, and the mend where it is known.
        fatal: Whether training would fail or be wrong; otherwise it is a remark.
    """

    kind: str
    path: Path
    message: str
    fatal: bool = True


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What `check_dataset` found.

    Attributes:
        layout: Name of the layout.
        videos: Listed videos of each split.
        usable: How many of them have no fatal problem.
        classes: Videos of each class.
        problems: Everything found, in the order of the lists.
    """

    layout: str
    videos: dict[str, int]
    usable: dict[str, int]
    classes: dict[str, int]
    problems: Sequence[Problem]

    @property
    def ok(self) -> bool:
        """Whether nothing fatal was found."""
        return not any(problem.fatal for problem in self.problems)


def check_dataset(
    root: str | os.PathLike,
    *,
    layout: str | None = None,
    min_seconds: float = 2.0,
    sound: bool = True,
    deep: bool = False,
    motion_scores: str | os.PathLike | None = None,
    on_file: Callable[[int, int, Path], Any] | None = None,
) -> CheckReport:
    """Look at every file that a dataset's lists name, and at what lies beside them.

    Args:
        root: Folder of the dataset.
        layout: Name of its layout, or None: what `detect_layout` says.
        min_seconds: Length of picture and sound that a clip needs.
        sound: Whether videos must have sound.
        deep: Whether every file is decoded to its end; otherwise headers are read.
        motion_scores: Folder of .npy files that must hold one for each video.
        on_file: Called with (files done, files in all, path).

    Raises:
        MediaError: If there is no such folder or layout.
    """
    root = Path(root)
    form = detect_layout(root) if layout is None else get_layout(layout)
    if not root.is_dir():
        raise MediaError(f"`root` must be an existing folder, got {root}.")
    splits, problems = _lists(root, form)
    total = sum(map(len, splits.values()))
    usable, done = dict.fromkeys(splits, 0), 0
    for split, entries in splits.items():
        for entry in entries:
            found = list(_of_file(entry, min_seconds, sound, deep))
            found += _of_score(entry, root, motion_scores) if motion_scores is not None else []
            usable[split] += not any(problem.fatal for problem in found)
            problems += found
            done += 1
            if on_file is not None:
                on_file(done, total, entry.path)
    every = [entry for entries in splits.values() for entry in entries]
    problems += [*_of_lists(root, form, splits), *_of_encodings(root, form, every)]
    return CheckReport(
        layout=form.name,
        videos={split: len(entries) for split, entries in splits.items()},
        usable=usable,
        classes=dict(sorted(Counter(entry.class_name for entry in every).items())),
        problems=tuple(problems),
    )


def _lists(root: Path, layout: Layout) -> tuple[dict[str, list[Entry]], list[Problem]]:
    splits, problems = {}, []
    try:
        names = split_names(root, layout)
    except MediaError as error:
        names, problems = [], [Problem(kind="list", path=root, message=str(error))]
    for split in names:
        try:
            splits[split] = read_split(root, layout, split)
        except MediaError as error:
            problems.append(Problem(kind="list", path=root, message=str(error)))
    if layout.lists != "none":
        problems += [
            Problem(kind="list", path=root / f"{split}.txt", message=f"The {split} split has no list.", fatal=False)
            for split in ("train", "test")
            if split not in names and not problems
        ]
    return splits, problems


def _of_file(entry: Entry, min_seconds: float, sound: bool, deep: bool) -> Iterator[Problem]:
    path = entry.path
    if not path.is_file():
        what = "is a link to nothing" if path.is_symlink() else "does not exist"
        yield Problem(kind="missing", path=path, message=f"{path} {what}.")
        return
    try:
        check_name(path)
        info = probe(path)
        if deep:
            for _ in iter_frames(path, fps=1, size=8):
                pass
            if info.has_sound:
                read_sound(path, info)
    except MediaError as error:
        yield Problem(kind="unreadable", path=path, message=str(error))
        return
    if sound and not info.has_sound:
        yield Problem(kind="mute", path=path, message=f"{path} has no sound.")
    ends = [end for end in (info.duration, info.sound_end if sound else None) if end is not None]
    end = min(ends, default=None)
    if end is not None and end < min_seconds - 0.5 / info.fps:
        message = f"{path} lasts {end:.2f} s, less than {min_seconds:g} s."
        yield Problem(kind="short", path=path, message=message)
    if entry.end is not None and end is not None and entry.end > end + 1 / info.fps:
        message = f"{path} lasts {end:.2f} s, but its list asks for {entry.start:g} to {entry.end:g} s."
        yield Problem(kind="part", path=path, message=message)


def _of_score(entry: Entry, root: Path, folder: str | os.PathLike) -> list[Problem]:
    stored = Path(folder) / entry.path.relative_to(root).with_suffix(".npy")
    try:
        read_scores(stored)
    except MediaError as error:
        return [Problem(kind="motion-score", path=stored, message=str(error))]
    return []


def _of_lists(root: Path, layout: Layout, splits: dict[str, list[Entry]]) -> Iterator[Problem]:
    for split, entries in splits.items():
        counts = Counter((entry.path, entry.start) for entry in entries)
        for (path, _), count in counts.items():
            if count > 1:
                yield Problem(
                    kind="twice", path=path, message=f"{path} is listed {count} times in {split}.", fatal=False
                )
        expected = layout.counts.get(split)
        if expected is not None and expected != len(entries):
            message = f"{split} lists {len(entries)} videos; the paper has {expected}."
            yield Problem(kind="count", path=root, message=message, fatal=False)
    named = {split: {entry.path for entry in entries} for split, entries in splits.items()}
    for path in sorted(named.get("train", set()) & named.get("test", set())):
        yield Problem(kind="both-splits", path=path, message=f"{path} is in train and in test.")
    if layout.lists == "txt":
        listed = set().union(*named.values())
        folder = root / layout.videos.split("/{")[0]
        for path in sorted(set(video_files(folder)) - listed) if folder.is_dir() else []:
            yield Problem(kind="unlisted", path=path, message=f"{path} is in no list.", fatal=False)


def _of_encodings(root: Path, layout: Layout, entries: list[Entry]) -> Iterator[Problem]:
    if layout.encodings is None:
        return
    path = root / layout.encodings
    if not path.is_file():
        message = f"{path} does not exist; models that read stored text encodings need it, others do not."
        yield Problem(kind="encoding", path=path, message=message, fatal=False)
        return
    try:
        encodings = load_text_encodings(path)
        for caption in sorted({entry.caption for entry in entries}):
            encoding_of(encodings, caption)
    except MediaError as error:
        yield Problem(kind="encoding", path=path, message=str(error))
