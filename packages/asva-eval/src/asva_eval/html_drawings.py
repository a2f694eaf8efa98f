"""Lines and bands of report.html as points in the units of their SVG: curves of a clip, shift profiles, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asva_eval.observations import MotionChange, MotionCurve, SoundEvents
from asva_eval.sections import measured

WIDTH, HEIGHT = 600, 60
"""Units of one lane of curves."""
LEAST_MOTION = 5.0
"""Percent of the shorter side per second that the lane of motion holds at least, so that a still video looks still."""


@dataclass(frozen=True)
class Curves:
    """What was heard and seen in a clip.

    Attributes:
        seconds: Length of the clip.
        sound: Points of the waveform's outline; empty without sound.
        motion: Points of the amount of motion; empty if it was not measured.
        heard: Places of the events that were heard.
        seen: Places of the events that were seen.
        most_motion: Percent of the shorter side per second at the top of the lane.
        words: The same for those who cannot see it.
    """

    seconds: float
    sound: str
    motion: str
    heard: list[float]
    seen: list[float]
    most_motion: float
    words: str


def curves_of(record: dict[str, Any]) -> Curves | None:
    """The curves of a clip by its record; None if nothing was measured in it."""
    clip, observed = record["head"].get("clip"), record["observed"]
    if clip is None:
        return None
    sound, motion, change = (observed.get(one().key, {}) for one in (SoundEvents, MotionCurve, MotionChange))
    seconds = clip["seconds"]
    speed = np.array(motion.get("curve", []), dtype=float)
    speed *= 100 * motion.get("fps", 0) / min(clip["height"], clip["width"])
    most = max(LEAST_MOTION, float(speed.max(initial=0)))
    heard, seen = sound.get("events", []), change.get("events", [])
    return Curves(
        seconds=seconds,
        sound=_outline(sound["envelope"], seconds) if "envelope" in sound else "",
        motion=_line(np.arange(len(speed)) / motion["fps"] / seconds, speed / most) if len(speed) else "",
        heard=_places(heard, seconds),
        seen=_places(seen, seconds),
        most_motion=most,
        words=f"{_counted('heard', heard, sound)}; {_counted('seen', seen, change)}",
    )


def _counted(verb: str, times: Sequence[float], found: dict[str, Any]) -> str:
    if "reason" in found:
        return f"{verb}: {found['reason']}"
    return f"{verb}: " + (", ".join(f"{time:.2f} s" for time in times) or "no event")


def _outline(envelope: dict[str, Any], seconds: float) -> str:
    """The loudness above and below the middle of its lane, the loudest moment filling it."""
    peaks = np.array(envelope["peaks"], dtype=float)
    half = peaks / max(float(peaks.max(initial=0)), 1e-3) * (HEIGHT / 2 - 2)
    x = (np.arange(len(peaks)) + 0.5) / envelope["rate"] / seconds * WIDTH
    return points(np.concatenate((x, x[::-1])), np.concatenate((HEIGHT / 2 - half, (HEIGHT / 2 + half)[::-1])))


def _line(x: np.ndarray, y: np.ndarray) -> str:
    """A curve of shares, 0 at the bottom of its lane."""
    return points(x * WIDTH, HEIGHT - 2 - y * (HEIGHT - 4))


def _places(times: Sequence[float], seconds: float) -> list[float]:
    return [round(time / seconds * WIDTH, 1) for time in times]


def points(x: np.ndarray, y: np.ndarray) -> str:
    """Points as SVG writes them."""
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


@dataclass(frozen=True)
class Row:
    """One side in a drawing of intervals; places from 0 to 100, None where there is nothing."""

    side: str
    value: float | None
    low: float | None
    high: float | None
    chances: list[tuple[str, float]]


@dataclass(frozen=True)
class Intervals:
    """A score of all sides on one axis."""

    title: str
    better: str
    unit: str
    low: float
    high: float
    rows: list[Row]


def intervals_of(report: dict[str, Any]) -> list[Intervals]:
    """A drawing for each score that has a figure."""
    return [drawing for drawing in map(_intervals, measured(report)) if drawing is not None]


def _intervals(score: dict[str, Any]) -> Intervals | None:
    sides = score["systems"]
    found = [
        value
        for figures in sides.values()
        for value in (*(figures[name] for name in ("value", "low", "high")), *_chances(figures).values())
        if value is not None
    ]
    if not found:
        return None
    low, high = min(found), max(found)

    def place(value: float | None) -> float | None:
        return None if value is None else round(100 * (value - low) / (high - low or 1), 2)

    rows = [
        Row(
            side,
            *(place(figures[name]) for name in ("value", "low", "high")),
            [(name, place(chance)) for name, chance in _chances(figures).items()],
        )
        for side, figures in sides.items()
    ]
    return Intervals(score["title"], score["better"], score["unit"], low, high, rows)


def _chances(figures: dict[str, Any]) -> dict[str, float]:
    chances = {name: figures.get(name, {}).get("chance") for name in ("shifted", "swapped")}
    return {name: chance for name, chance in chances.items() if chance is not None}
