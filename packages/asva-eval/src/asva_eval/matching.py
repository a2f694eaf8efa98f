"""Which generated file belongs to which true one: by name, by the numbered clips of a video, or by a manifest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asva_data.listing import video_files
from asva_weights.text import read_table, reading

NUMBERED = re.compile(r"(?P<stem>.+)_clip-(?P<clip>\d+)$")
COLUMNS = {"generated", "reference", "class", "caption", "start"}


class MatchError(ValueError):
    """Folders or a manifest that cannot be matched; one line that names the file and the fix."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A generated file and what it should look like.

    Attributes:
        name: Of the generated file below its folder, without its ending; with forward slashes.
        generated: Generated file.
        reference: True file.
        clip: Which clip of the true file, for numbered clips of a video; None for files of their own.
        start: Second of the true file at which the clip begins, if the manifest says so.
        class_name: Class, raw as the folder or the manifest names it; empty if there is none.
        caption: Words of the manifest; empty if there are none.
    """

    name: str
    generated: Path
    reference: Path
    clip: int | None = None
    start: float | None = None
    class_name: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Matching:
    """Pairs of one system, and what found no partner.

    Attributes:
        pairs: In the order of their names.
        generated_alone: Generated files without a true one.
        reference_alone: True files without a generated one.
    """

    pairs: list[Pair]
    generated_alone: list[Path] = field(default_factory=list)
    reference_alone: list[Path] = field(default_factory=list)


def match_folders(generated: Path, reference: Path, videos: Mapping[Path, str] | None = None) -> Matching:
    """Match two folders.

    A generated file ``dog/a.mp4`` or ``dog/a_clip-01.mp4`` (second clip of three, as AVSyncD's scripts name them)
    belongs to the true file ``dog/a.*``. Where no true file has that path, a name that occurs once will do, so that one
    side may lack the folders of the classes. The class is the folder of the true file, or else of the generated one.

    Args:
        generated: Folder of generated files.
        reference: Folder of true files.
        videos: Those of them that count, with their classes; None is all.

    Raises:
        MatchError: If a folder is missing or holds no video, nothing matches, or a name fits several files.
    """
    ours, theirs = _listed(generated, "generated"), _listed(reference, "reference") if videos is None else [*videos]
    classes = videos or {}
    exact, by_name = _index(theirs, lambda path: _stem(path, reference)), _index(theirs, lambda path: path.stem)
    pairs, alone = [], []
    for path in ours:
        name = _stem(path, generated)
        found, clip = _find(name, exact, by_name, path)
        if found is None:
            alone.append(path)
            continue
        class_name = classes.get(found) or _class(found, reference) or _class(path, generated)
        pairs.append(Pair(name=name, generated=path, reference=found, clip=clip, class_name=class_name))
    if not pairs:
        raise MatchError(
            f"`generated` must hold files named like those of the reference, such as {_stem(theirs[0], reference)}.mp4 "
            f"or {_stem(theirs[0], reference)}_clip-00.mp4, got {ours[0].name} in {generated}; or give a manifest."
        )
    _check_unique(pairs, generated)
    used = {pair.reference for pair in pairs}
    return Matching(pairs, alone, [path for path in theirs if path not in used])


def read_manifest(path: Path, generated: Path, reference: Path) -> Matching:
    """Match by a table with the columns ``generated``, ``reference`` and, if wanted, ``class``, ``caption``, ``start``.

    Paths are relative to the folders, or absolute. ``start`` is the second of the true file at which the generated clip
    begins.

    Args:
        path: CSV with a header, or JSONL.
        generated: Folder of generated files.
        reference: Folder of true files.

    Raises:
        MatchError: If the table cannot be read, a column is unknown or missing, or a file does not exist.
    """
    pairs = []
    for number, row in enumerate(_rows(path), start=1):
        place = f"row {number} of {path}"
        unknown = set(row) - COLUMNS
        if unknown or not row.get("generated") or not row.get("reference"):
            raise MatchError(
                f"`manifest` must have the columns generated and reference (and may have class, caption, start), "
                f"got {', '.join(sorted(map(str, row)))} in {place}."
            )
        ours, theirs = generated / str(row["generated"]), reference / str(row["reference"])
        for side, file in (("generated", ours), ("reference", theirs)):
            if not file.is_file():
                raise MatchError(f"`{side}` in {place} must be an existing file, got {file}.")
        name = _stem(ours, generated) if ours.is_relative_to(generated) else ours.stem
        folder = _class(theirs, reference) if theirs.is_relative_to(reference) else ""
        class_name = str(row.get("class") or folder)
        caption, start = str(row.get("caption") or ""), _number(row.get("start"), place)
        pairs.append(
            Pair(name=name, generated=ours, reference=theirs, start=start, class_name=class_name, caption=caption)
        )
    if not pairs:
        raise MatchError(f"`manifest` must have at least one row, got none in {path}.")
    _check_unique(pairs, generated)
    pairs.sort(key=lambda pair: pair.name)
    used = {file.resolve() for pair in pairs for file in (pair.generated, pair.reference)}
    left = [[file for file in _listed(x, "folder") if file.resolve() not in used] for x in (generated, reference)]
    return Matching(pairs, *left)


def _listed(folder: Path, name: str) -> list[Path]:
    if not folder.is_dir():
        raise MatchError(f"`{name}` must be an existing folder, got {folder}.")
    found = video_files(folder)
    if not found:
        raise MatchError(f"`{name}` must hold videos, got none below {folder}.")
    return found


def _index(paths: list[Path], key: Callable[[Path], str]) -> dict[str, list[Path]]:
    index: dict[str, list[Path]] = {}
    for path in paths:
        index.setdefault(key(path), []).append(path)
    return index


def _find(
    name: str, exact: Mapping[str, list[Path]], by_name: Mapping[str, list[Path]], path: Path
) -> tuple[Path | None, int | None]:
    numbered = NUMBERED.fullmatch(name)
    tries = [(name, None)] + ([(numbered["stem"], int(numbered["clip"]))] if numbered else [])
    for stem, clip in tries:
        for index, key in ((exact, stem), (by_name, stem.rsplit("/", 1)[-1])):
            found = index.get(key, [])
            if len(found) > 1:
                raise MatchError(
                    f"`reference` must have one file for {path}, got {found[0]} and {found[1]}; "
                    "put the generated files into the same folders, or give a manifest."
                )
            if found:
                return found[0], clip
    return None, None


def _check_unique(pairs: list[Pair], generated: Path) -> None:
    names: dict[str, Pair] = {}
    clips: dict[tuple, Pair] = {}
    for pair in pairs:
        if (other := names.setdefault(pair.name, pair)) is not pair:
            raise MatchError(
                f"`generated` must name each clip once, got {other.generated} and {pair.generated}; remove one."
            )
        if (other := clips.setdefault((pair.reference, pair.clip, pair.start), pair)) is not pair:
            raise MatchError(
                f"`generated` must hold one file for each clip of {pair.reference.name}, got {other.generated} and "
                f"{pair.generated} below {generated}; give them as two systems."
            )


def _stem(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _class(path: Path, root: Path) -> str:
    return "" if path.parent == root else path.parent.name


def _rows(path: Path) -> list[dict[str, Any]]:
    with reading(path, "`manifest` must be a CSV table or JSON lines with one object each", MatchError):
        return read_table(path)


def _number(value: Any, place: str) -> float | None:
    if value in (None, ""):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise MatchError(f"`start` in {place} must be seconds of at least 0, got {value}.")
    return seconds
