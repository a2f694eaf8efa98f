"""Figures of report.html: scores with intervals on one axis, shift profiles, what was heard and seen in a clip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from asva_data.report.blocks import Card, Figure, Grid, Heading, Paragraph
from asva_data.report.drawing import COLOURS, draw
from asva_eval.observations import MotionChange, MotionCurve, SoundEvents
from asva_eval.sections import measured
from asva_eval.wording import interval, number

LEAST_MOTION = 5.0
"""Percent of the shorter side per second that the lane of motion holds at least, so that a still video looks still."""
STEPS = 81
"""Shifts of a drawn profile."""
RESAMPLES = 500
CHANCES = {"shifted": "--", "swapped": ":"}
"""How each chance level is drawn."""


def draw_intervals(report: dict[str, Any]) -> list[Card]:
    """A drawing for each score that has a figure: all sides on one axis."""
    cards = []
    for score in measured(report):
        sides = score["systems"]
        if all(figures["value"] is None for figures in sides.values()):
            continue
        words = "; ".join(f"{side}: {interval(figures)}" for side, figures in sides.items())
        svg = draw(lambda figure, sides=sides: _intervals(figure, sides), 300, 34 + 36 * len(sides))
        note = f"{score['better']} is better" if score["better"] else ""
        unit = [Paragraph(score["unit"], quiet=True)] if score["unit"] else []
        cards.append(Card(score["title"], [Figure(svg, words), *unit], note))
    return cards


def _intervals(figure: Any, sides: dict[str, dict[str, Any]]) -> None:
    height = 34 + 36 * len(sides)
    axes = figure.add_axes((0.02, 24 / height, 0.96, 1 - 26 / height))
    for row, (side, figures) in enumerate(sides.items()):
        axes.annotate(side, (0, -row - 0.33), (2, 0), ("axes fraction", "data"), "offset points", parse_math=False)
        for name, style in CHANCES.items():
            if (chance := figures.get(name, {}).get("chance")) is not None:
                axes.vlines(chance, -row - 0.97, -row - 0.5, COLOURS["amber"], style, lw=2)
        if figures["low"] is not None:
            axes.hlines(-row - 0.735, figures["low"], figures["high"], COLOURS["blue"], lw=2.5)
        if figures["value"] is not None:
            axes.vlines(figures["value"], -row - 0.92, -row - 0.55, COLOURS["ink"], lw=3)
    axes.set(ylim=(-len(sides), 0), yticks=[])
    axes.margins(x=0.05)
    axes.locator_params(axis="x", nbins=5)


def draw_profiles(
    title: str, clips: Iterable[tuple[str, str, dict]], seconds: float, generator: np.random.Generator
) -> list[Heading | Grid]:
    """Mean profiles by one score, each clip in standard deviations of its own; nothing if no clip has one.

    Args:
        title: The score.
        clips: Side, video and profile of each clip.
        seconds: Length of a clip.
        generator: Source of the resampling of videos.
    """
    grid = np.linspace(-seconds / 2, seconds / 2, STEPS)
    sides: dict[str, list[tuple[str, np.ndarray]]] = defaultdict(list)
    for side, video, profile in clips:
        scores = np.array(profile["scores"], dtype=float)
        if np.ptp(scores) > 0:
            scores = (scores - scores.mean()) / scores.std()
            sides[side].append((video, np.interp(grid, profile["shifts"], scores, period=seconds)))
    if not sides:
        return []
    bands = {side: mean_profile(*zip(*rows, strict=True), generator) for side, rows in sides.items()}
    ends = [find(band) for band in bands.values() for find in (np.min, np.max)]
    cards = []
    for side, band in bands.items():
        top, videos = grid[band[0].argmax()], {video for video, _ in sides[side]}
        note = f"{len(sides[side])} clips of {len(videos)} videos; top at {top:+.2f} s"
        svg = draw(lambda figure, band=band: _profile(figure, grid, band, (min(ends), max(ends))), 300, 140)
        cards.append(Card(side, [Figure(svg, f"mean shift profile of {side} by {title}, top at {top:+.2f} s")], note))
    return [Heading(title), Grid(cards)]


def mean_profile(
    videos: Sequence[str], rows: Sequence[np.ndarray], generator: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """The mean and the ends of its 95 % interval, by drawing videos with replacement."""
    names, places = np.unique(videos, return_inverse=True)
    sums, counts = np.zeros((len(names), len(rows[0]))), np.bincount(places)
    np.add.at(sums, places, np.stack(rows))
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    means = (drawn @ sums) / (drawn @ counts)[:, None]
    return np.mean(rows, axis=0), *np.percentile(means, (2.5, 97.5), axis=0)


def _profile(figure: Any, grid: np.ndarray, band: tuple[np.ndarray, ...], ends: tuple[float, float]) -> None:
    axes = figure.add_axes((0.05, 0.17, 0.9, 0.81))
    axes.axhline(0, color=COLOURS["line"], lw=1)
    axes.axvline(0, color=COLOURS["line"], lw=1)
    axes.fill_between(grid, band[1], band[2], color=COLOURS["band"], lw=0)  # no wider than the line with one video
    axes.plot(grid, band[0], color=COLOURS["blue"], lw=2)
    axes.set(xlim=(grid[0], grid[-1]), yticks=[], ylim=(ends[0] - 0.1, ends[1] + 0.1))
    axes.xaxis.set_major_formatter("{x:g} s")
    axes.locator_params(axis="x", nbins=5)


def draw_curves(record: dict[str, Any]) -> Figure | None:
    """What was heard and seen in a clip by its record; None if nothing was measured in it."""
    clip, observed = record["head"].get("clip"), record["observed"]
    if clip is None:
        return None
    sound, motion, change = (observed.get(one().key, {}) for one in (SoundEvents, MotionCurve, MotionChange))
    speed = np.array(motion.get("curve", []), dtype=float)
    speed *= 100 * motion.get("fps", 0) / min(clip["height"], clip["width"])
    most = max(LEAST_MOTION, float(speed.max(initial=0)))

    def paint(figure: Any) -> None:
        above, below = (figure.add_axes((0, bottom, 1, 0.47), xlim=(0, clip["seconds"])) for bottom in (0.53, 0))
        above.set(ylim=(-1, 1), xticks=[], yticks=[])
        below.set(ylim=(0, 1.05 * most), xticks=[], yticks=[])
        if "envelope" in sound:
            peaks = np.array(sound["envelope"]["peaks"], dtype=float)
            peaks /= max(float(peaks.max(initial=0)), 1e-3)
            times = (np.arange(len(peaks)) + 0.5) / sound["envelope"]["rate"]
            above.fill_between(times, -peaks, peaks, color=COLOURS["slate"], lw=0)
        if len(speed):
            below.plot(np.arange(len(speed)) / motion["fps"], speed, color=COLOURS["blue"], lw=2)
        lanes = ((above, sound, 0.9, "v", COLOURS["amber"]), (below, change, 0.1, "^", COLOURS["violet"]))
        for axes, found, height, marker, colour in lanes:
            times, across = found.get("events", []), axes.get_xaxis_transform()
            axes.vlines(times, 0, 1, colour, lw=1.5, transform=across)
            axes.plot(times, [height] * len(times), marker, ms=9, color=colour, transform=across)

    found = (_counted("heard", sound), _counted("seen", change))
    top = f"Top of the motion: {number(most)} % of the shorter side per second."
    return Figure(draw(paint, 440, 110), f"{'; '.join(found)}. {top}")


def _counted(verb: str, found: dict[str, Any]) -> str:
    times = ", ".join(f"{time:.2f} s" for time in found.get("events", []))
    return f"{verb}: {found.get('reason') or times or 'no event'}"
