"""Motion curves and keyframes in files that people and other programs read and write: JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from asva_weights.text import read_text, reading

ENDINGS = (".json", ".csv")
COLUMNS = ("second", "motion", "keyframe")


@dataclass(frozen=True, eq=False)
class CurveFile:
    """What a file says about time.

    Attributes:
        fps: Values of the curve per second; None without a curve.
        curve: (t,) motion; None without.
        keyframes: (k,) seconds; None without.
    """

    fps: float | None = None
    curve: np.ndarray | None = None
    keyframes: np.ndarray | None = None


def read_curve_file(path: Path) -> CurveFile:
    """Read a curve, keyframes or both.

    JSON as `asva keyframes` and `asva sample` write it, with ``fps`` (or ``motion_fps``), ``motion_curve`` and
    ``keyframes.seconds``, or a plain list of seconds. CSV with a head: a column ``second``, and ``motion``,
    ``keyframe`` (0 or 1) or both; with ``second`` alone the rows are keyframes.

    Raises:
        ValueError: If the file is neither, or a value is not a finite number.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"'{path}' must end in {' or '.join(ENDINGS)}.")
    with reading(path, "A curve must be UTF-8 text with numbers"):
        found = (_from_json if path.suffix.lower() == ".json" else _from_csv)(path, read_text(path))
    for name, values in (("motion", found.curve), ("keyframes", found.keyframes)):
        for place in [] if values is None else np.flatnonzero(~np.isfinite(values)):
            raise ValueError(f"'{path}' must hold finite numbers, got {values[place]} as value {place} of {name}.")
    return found


def write_curve_csv(path: Path, curve: ArrayLike, keyframe_indices: Sequence[int], fps: float) -> None:
    """Write a row for each frame: its second, its motion, and whether it is a keyframe."""
    chosen = {int(index) for index in keyframe_indices}
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for index, value in enumerate(np.asarray(curve).tolist()):
            rows.writerow([f"{index / fps:.6f}", f"{value:.6f}", int(index in chosen)])


def fit_curve(found: CurveFile, path: Path, fps: Fraction, duration: Fraction) -> np.ndarray:
    """The curve at another frame rate, one value per frame of a clip.

    Raises:
        ValueError: If there is none, or it is not as long as the clip, to a frame of either.
    """
    if found.curve is None or found.fps is None:
        raise ValueError(f"'{path}' holds no motion curve.")
    seconds = len(found.curve) / found.fps
    if abs(seconds - duration) > 1.5 * max(1 / found.fps, 1 / float(fps)):
        raise ValueError(
            f"'{path}' must be as long as the video, {float(duration):.2f} s, got {seconds:.2f} s "
            f"({len(found.curve)} values at {found.fps:g} per second). Cut it, or set --start and --duration."
        )
    times = np.arange(math.ceil(duration * fps)) / float(fps)
    return np.interp(times, np.arange(len(found.curve)) / found.fps, found.curve).astype(np.float32)


def _from_json(path: Path, text: str) -> CurveFile:
    try:
        content: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"'{path}' is not valid JSON: {error}.") from None
    if isinstance(content, list):
        content = {"keyframes": {"seconds": content}}
    if not isinstance(content, dict):
        raise ValueError(f"'{path}' must hold an object or a list of seconds, got {type(content).__name__}.")
    keyframes, curve = content.get("keyframes"), content.get("motion_curve")
    seconds = keyframes.get("seconds") if isinstance(keyframes, dict) else keyframes
    if curve is None and seconds is None:
        raise ValueError(f"'{path}' must hold `motion_curve`, `keyframes` or both.")
    fps = content.get("motion_fps", content.get("fps"))
    if curve is not None and not (isinstance(fps, int | float) and 0 < fps < math.inf):
        raise ValueError(f"'{path}' must say how many values there are per second (`fps`), got {fps}.")
    return CurveFile(float(fps) if curve is not None else None, _numbers(path, curve), _numbers(path, seconds))


def _from_csv(path: Path, text: str) -> CurveFile:
    rows = list(csv.DictReader(text.splitlines()))
    names = set(rows[0]) if rows else set()
    if "second" not in names:
        raise ValueError(f"'{path}' must have a first line with the columns {', '.join(COLUMNS)}, and rows.")
    seconds = _numbers(path, [row["second"] for row in rows])
    if "motion" not in names and "keyframe" not in names:
        return CurveFile(keyframes=seconds)
    keyframes = None
    if "keyframe" in names:
        keyframes = seconds[_numbers(path, [row["keyframe"] for row in rows]) > 0.5]
    if "motion" not in names:
        return CurveFile(keyframes=keyframes)
    steps = np.diff(seconds)
    if len(steps) < 1 or steps.min() <= 0 or np.ptp(steps) > 0.02 * steps.mean() + 2e-6:
        raise ValueError(f"'{path}' must have a row for each frame, at equal distances.")
    return CurveFile(1 / float(steps.mean()), _numbers(path, [row["motion"] for row in rows]), keyframes)


def _numbers(path: Path, values: Any) -> Any:
    if values is None:
        return None
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        raise ValueError(f"'{path}' must hold numbers, got {str(values)[:60]}.") from None
    if not len(numbers):
        raise ValueError(f"'{path}' must hold at least one number, got none.")
    return numbers
