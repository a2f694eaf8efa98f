"""Shift profiles of report.html: how well picture and sound fit at each shift of the sound, mean over clips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from asva_eval.html_drawings import points
from asva_eval.network_observations import SmallSyncFeatures
from asva_eval.observations import LocalSignals

WIDTH, HEIGHT = 300, 120
STEPS = 81
RESAMPLES = 500
SOURCES = {
    "local_sync": ("local sync", LocalSignals().key),
    "small_sync": ("small sync classifier", SmallSyncFeatures().key),
}
"""The scores that have a profile: what they are called, and the observation that holds it."""


@dataclass(frozen=True)
class Profile:
    """The mean profile of one side by one score.

    Attributes:
        side: System, or reference.
        line: Points of the mean.
        band: Points around its 95 % interval, empty with one video.
        num_clips: Clips that have a profile.
        num_videos: Videos that they are from.
        top: Seconds by which the sound would have to move later to fit best.
    """

    side: str
    line: str
    band: str
    num_clips: int
    num_videos: int
    top: float


@dataclass(frozen=True)
class ProfilePlots:
    """The profiles of all sides by one score, on one scale.

    Attributes:
        title: The score.
        seconds: Half the length of the axis of shifts.
        zero: Height of the mean over all shifts.
        profiles: One for each side.
    """

    title: str
    seconds: float
    zero: float
    profiles: list[Profile]


def read_profile(score: str, observed: dict[str, Any]) -> dict[str, list[float]] | None:
    """Shifts and scores of a record by one score, if they were measured."""
    found = observed.get(SOURCES[score][1], {})
    found = found.get("profile", found)
    return found if "shifts" in found else None


def profile_plots(
    title: str, clips: Iterable[tuple[str, str, dict]], seconds: float, generator: np.random.Generator
) -> ProfilePlots | None:
    """Mean profiles by one score, each clip in standard deviations of its own; None if no clip has one.

    Args:
        title: The score.
        clips: Side, video and profile of each clip.
        seconds: Length of a clip.
        generator: Source of the resampling of videos.
    """
    grid = np.linspace(-seconds / 2, seconds / 2, STEPS)
    sides: dict[str, tuple[list[str], list[np.ndarray]]] = {}
    for side, video, profile in clips:
        scores = np.array(profile["scores"], dtype=float)
        if np.ptp(scores) > 0:
            videos, rows = sides.setdefault(side, ([], []))
            videos.append(video)
            around = np.interp(grid, profile["shifts"], (scores - scores.mean()) / scores.std(), period=seconds)
            rows.append(around)
    means = {side: _mean(np.array(videos), np.stack(rows), generator) for side, (videos, rows) in sides.items()}
    if not means:
        return None
    low = min(float(np.min(band)) for band in means.values())
    high = max(float(np.max(band)) for band in means.values())

    def height(values: Any) -> Any:
        return HEIGHT - 4 - (np.asarray(values) - low) / max(high - low, 1e-9) * (HEIGHT - 8)

    x = np.linspace(0, WIDTH, STEPS)
    profiles = []
    for side, (mean, below, above) in means.items():
        videos, count = set(sides[side][0]), len(sides[side][0])
        around = points(np.concatenate((x, x[::-1])), height(np.concatenate((below, above[::-1]))))
        top = float(grid[mean.argmax()])
        profiles.append(Profile(side, points(x, height(mean)), around * (len(videos) > 1), count, len(videos), top))
    return ProfilePlots(title, seconds / 2, float(height(0.0)), profiles)


def _mean(videos: np.ndarray, rows: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The mean and the ends of its interval, by drawing videos with replacement."""
    names, places = np.unique(videos, return_inverse=True)
    sums, counts = np.zeros((len(names), rows.shape[1])), np.bincount(places)
    np.add.at(sums, places, rows)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    means = (drawn @ sums) / (drawn @ counts)[:, None]
    return rows.mean(axis=0), *np.percentile(means, (2.5, 97.5), axis=0)
