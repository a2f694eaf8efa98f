"""Values that change on the way: prompts that begin at a time, strengths that glide from point to point."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asva_interp.windows.plan import ClipPlan


def parse_points(entries: Iterable[str], option: str) -> list[tuple[float, str]]:
    """Times and texts from ``3.0=text``, or from a CSV file with the columns second and value (or prompt).

    Args:
        entries: As they stand on the command line.
        option: That gave them, for messages.

    Returns:
        In order of time.

    Raises:
        ValueError: If an entry is not of that form, a time is not a number or stands twice.
    """
    points: dict[float, str] = {}
    for entry in entries:
        for time, text in _rows(Path(entry), option) if entry.lower().endswith(".csv") else [_split(entry, option)]:
            try:
                second = float(time)
            except ValueError:
                second = math.nan
            if not math.isfinite(second) or second < 0:
                said = " ".join(f"'{time}={text}'".split()) + (f" in {entry}" if entry.lower().endswith(".csv") else "")
                raise ValueError(f"`{option}` must begin with a time in seconds, such as 3.0=..., got {said}.")
            if second in points:
                raise ValueError(f"`{option}` must name each time once, got {second:g} s twice in {entry}.")
            points[second] = text
    return sorted(points.items())


def parse_strengths(text: str, option: str) -> list[tuple[float, float]]:
    """Times and numbers from ``0=1,3.5=4``, or from a CSV file.

    >>> parse_strengths("0=1,3.5=4", "--guidance-at")
    [(0.0, 1.0), (3.5, 4.0)]
    """
    points = parse_points([text] if text.lower().endswith(".csv") else text.split(","), option)
    try:
        numbers = [(second, float(value)) for second, value in points]
    except ValueError:
        numbers = [(0.0, math.nan)]
    if not all(math.isfinite(value) for _, value in numbers):
        raise ValueError(f"`{option}` must be times and numbers, such as 0=1,3.5=4, got '{text}'.")
    return numbers


def check_inside(points: Sequence[tuple[float, object]], duration: float, option: str) -> None:
    """Refuse times at which there is no picture.

    Raises:
        ValueError: If a time lies outside.
    """
    outside = [second for second, _ in points if second >= duration]
    if outside:
        raise ValueError(f"`{option}` must lie within the video, 0 to {duration:.2f} s, got {outside[0]:g} s.")


def window_prompts(points: Sequence[tuple[float, str]], plan: ClipPlan, prompt: str) -> list[str]:
    """The prompt of each window: that which began last when its first frame is kept."""
    begins = [window.keep[0] / float(plan.native_fps) for window in plan.windows]
    said = [(0.0, prompt), *points]
    half = 0.5 / float(plan.native_fps)
    return [[text for second, text in said if second <= begin + half][-1] for begin in begins]


def strengths_at(points: Sequence[tuple[float, float]], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """A strength at each time: straight from point to point, and level before the first and after the last.

    >>> strengths_at([(0.0, 1.0), (2.0, 3.0)], np.array([0.0, 1.0, 5.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    seconds, values = zip(*points, strict=True)
    return np.interp(times, seconds, values).astype(np.float32)


def _split(entry: str, option: str) -> tuple[str, str]:
    time, sign, text = entry.partition("=")
    if not sign or not text.strip():
        raise ValueError(f"`{option}` must be a time and what begins there, such as 3.0=..., got '{entry}'.")
    return time, text.strip()


def _rows(path: Path, option: str) -> list[tuple[str, str]]:
    if not path.is_file():
        raise ValueError(f"`{option}` must name an existing file, got '{path}'.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"`{option}` must name a table as UTF-8 text, got '{path}': {error}.") from error
    if rows and rows[0][0].strip().lower() in ("second", "seconds", "time"):
        rows = rows[1:]
    if not rows or any(len(row) != 2 for row in rows):
        raise ValueError(f"`{option}`: '{path}' must have rows of two cells, a time in seconds and a value.")
    return [(time, text) for time, text in rows]
