"""From a folder of raw videos, or a table of parts of them, to the layout that training and evaluation read."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clip import MediaError
from .datasets.draw import draw_test
from .datasets.layouts import Layout, get_layout
from .decode import iter_frames
from .draft import FULL, draft_of
from .encode import write_video
from .info import probe
from .listing import check_name, video_files
from .many import only_run
from .sound import read_sound
from .wanted import Wanted


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What `prepare_dataset` did.

    Attributes:
        root: The dataset.
        videos: Files of each split, below its videos.
        refused: What could not be made, and why; for a missing video every name that was looked for.
        made: How many files were written now; the rest was there.
    """

    root: Path
    videos: dict[str, list[str]]
    refused: Sequence[tuple[Wanted, str]]
    made: int


def prepare_dataset(
    wanted: Iterable[Wanted],
    raw: str | os.PathLike,
    out: str | os.PathLike,
    *,
    layout: str = "avsync15",
    test_share: float = 0.1,
    seed: int = 0,
    on_video: Callable[[int, int, str], None] | None = None,
) -> Prepared:
    """Cut or copy videos into a layout and write its lists.

    A file that is cut already (its name ends with the start, as VGGSound's do) is copied; a part of a longer one is cut
    to the frame and encoded again. What exists is kept, so a stopped run goes on. Nothing is written outside `out`, and
    what goes wrong with a video is its own reason.

    Args:
        wanted: The parts.
        raw: Folder below which videos are looked for by name.
        out: Folder of the dataset; it is made if only its last part is missing.
        layout: Name of a layout with lists.
        test_share: Share of each class's videos without a split that go to the test, see `draw_test`; parts of one
            video go together.
        seed: Another seed, another draw.
        on_video: Called with (done, all, id).

    Raises:
        MediaError: If an argument is out of range, a folder is missing, or another run writes there.
        OSError: If the disk is full.
    """
    form, out, wanted = get_layout(layout), Path(out), list(wanted)
    if form.lists != "txt":
        raise MediaError(f"`layout` must be one with train.txt and test.txt, got {layout!r}.")
    if not 0 <= test_share <= 1:
        raise MediaError(f"`test_share` must be from 0 to 1, got {test_share}.")
    found = _Raw(Path(raw))
    if not out.parent.is_dir():
        raise MediaError(f"`out` must lie in an existing folder, got {out}.")
    out.mkdir(exist_ok=True)
    classes: dict[str, set[str]] = {}
    for item in wanted:
        if not item.split:
            classes.setdefault(item.label, set()).add(item.id)
    tested = draw_test(classes, test_share, seed)
    videos: dict[str, list[str]] = {"train": [], "test": []}
    refused, labels, made = [], {}, 0
    with only_run(out):
        for done, item in enumerate(wanted, start=1):
            split = item.split or ("test" if item.id in tested else "train")
            try:
                name, folder = _place(item, form, split)
                made += _make(item, found, out / folder / name)
                if name in videos[split]:
                    raise MediaError(f"`wanted` must name each part once, got {name} again.")
                videos[split].append(name)
                labels[_folder_name(item.label)] = item.label
            except (MediaError, OSError) as error:
                if isinstance(error, OSError) and error.errno in FULL:
                    raise
                refused.append((item, str(error)))
            if on_video is not None:
                on_video(done, len(wanted), item.id)
        _write_lists(out, videos, labels, refused)
    return Prepared(root=out, videos=videos, refused=tuple(refused), made=made)


class _Raw:
    """The raw videos by name, listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_stem: dict[str, Path] = {}
        for path in video_files(root):
            self._by_stem.setdefault(path.stem, path)

    def find(self, item: Wanted) -> tuple[Path, float]:
        """The file of a part, and the second of the video at which the file begins.

        Raises:
            MediaError: With every name that was looked for.
        """
        if item.path:
            for path in (Path(item.path), self.root / item.path):
                if path.is_file():
                    return path, 0.0
            raise MediaError(f"`path` must be an existing file, got {item.path}, also not below {self.root}.")
        cut, whole = _cut_names(item), item.id
        for stem in (*cut, whole):
            if stem in self._by_stem:
                return self._by_stem[stem], 0.0 if stem == whole else item.start or 0.0
        names = ", ".join(f"{stem}.*" for stem in (*cut, whole))
        raise MediaError(f"`raw` must hold the video, got none of {names} below {self.root}.")


def _cut_names(item: Wanted) -> list[str]:
    """Names under which tools store a part: in seconds or milliseconds, with or without its end."""
    if item.start is None:
        return []
    seconds, milliseconds = round(item.start), round(item.start * 1000)
    names = []
    if item.end is not None:
        names.append(f"{item.id}_{milliseconds}_{round(item.end * 1000)}")
    if item.start == seconds:
        if item.end is not None and item.end == round(item.end):
            names.append(f"{item.id}_{seconds:06d}_{round(item.end):06d}")
        names += [f"{item.id}_{seconds:06d}", f"{item.id}_{seconds}"]
    return names


def _place(item: Wanted, layout: Layout, split: str) -> tuple[str, str]:
    """Name below the videos, and the folder of the videos."""
    if split not in ("train", "test"):
        raise MediaError(f"`split` must be train, test or empty, got {split!r}.")
    if not re.fullmatch(r"[^/\\\0\n\r]+", item.id) or item.id.startswith("."):
        raise MediaError(f"`id` must be a plain file name without ending, got {item.id!r}.")
    for words in (item.path, item.id, item.label):
        check_name(words)
    name = item.id
    if item.start is not None:
        name += "".join(f"_{_digits(time)}" for time in (item.start, item.end) if time is not None)
    folder = "" if layout.class_name or not item.label else f"{_folder_name(item.label)}/"
    return f"{folder}{name}.mp4", layout.videos.format(split=split)


def _digits(seconds: float) -> str:
    """Six digits of whole seconds, as VGGSound has them; with the milliseconds where there are any."""
    whole, rest = divmod(round(seconds * 1000), 1000)
    return f"{whole:06d}" + (f"-{rest:03d}" if rest else "")


def _folder_name(label: str) -> str:
    """A label as the name of a folder: spaces to underscores, nothing that a path could read."""
    return re.sub(r"[^\w\-]", "_", label.strip()) or "_"


def _make(item: Wanted, raw: _Raw, target: Path) -> bool:
    """Write one video unless it is there; returns whether it was written."""
    if target.is_file():
        return False
    source, offset = raw.find(item)
    start = 0.0 if item.start is None else item.start - offset
    seconds = None if item.end is None else item.end - (item.start or 0.0)
    write_part(source, target, start, seconds)
    return True


def write_part(source: Path, target: Path, start: float, seconds: float | None) -> None:
    """Write a part of a video with its sound: the file itself where it is all of an mp4, else cut to the frame.

    Raises:
        MediaError: If it has no sound, or ends before the part does.
    """
    info = probe(source)
    if not info.has_sound:
        raise MediaError(f"`raw` must hold videos with sound, got {source} without.")
    end = min((t for t in (info.duration, info.sound_end) if t is not None), default=None)
    if seconds is not None and end is not None and start + seconds > end + 0.5:
        raise MediaError(f"`end` must lie within {source}, got {start + seconds:g} s of {end:.2f} s.")
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = start == 0 and (seconds is None or end is None or seconds > end - 0.1)
    if whole and source.suffix.lower() == ".mp4":
        with draft_of(target) as part:
            shutil.copyfile(source, part)
    else:
        _cut(source, info, target, start, seconds)


def _cut(source: Path, info: Any, target: Path, start: float, seconds: float | None) -> None:
    waveform, rate = read_sound(source, info, start, seconds)
    frames = iter_frames(source, start=start, duration=seconds, fps=info.fps)
    even = (frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2] for _, frame in frames)
    write_video(target, even, fps=info.fps, waveform=waveform, sample_rate=rate)


def _write_lists(out: Path, videos: dict[str, list[str]], labels: dict[str, str], refused: list) -> None:
    for split, names in videos.items():
        if names:
            _write(out / f"{split}.txt", "".join(f"{name}\n" for name in names))
        else:  # also of an earlier run: a list without videos is a fault
            (out / f"{split}.txt").unlink(missing_ok=True)
    mapping = {name: label.replace("_", " ") for name, label in sorted(labels.items()) if label}
    _write(out / "class_mapping.json", json.dumps(mapping, indent=2, ensure_ascii=False) + "\n")
    rows = [{**item._asdict(), "reason": reason} for item, reason in refused]
    _write(out / "refused.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _write(path: Path, text: str) -> None:
    with draft_of(path) as part:
        part.write_bytes(text.encode(errors="backslashreplace"))
