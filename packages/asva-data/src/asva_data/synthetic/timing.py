"""When things happen: event times, and the curve from wind-up over the strike back to rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Strike:
    """How one class moves around an event; times in seconds, poses in units of the full stroke.

    The pose is 0 at rest, `-windup` just before the strike and `contact` at the event. The strike speeds up
    (`power`), so that most of its way lies in the frame interval that holds the event.
    """

    strike: float = 0.065
    power: float = 2.0
    windup: float = 0.32
    windup_time: float = 0.095
    windup_share: float = 0.42  # of a short gap, the rest is recoil
    hold: float = 0.04
    recoil: float = 0.20
    contact: float = 1.0
    loud_contact: float = 0.0  # share of the contact pose that follows the loudness
    min_gap: float = 0.27
    first: float = 0.14


def event_times(rng: np.random.Generator, style: Strike, duration: float) -> Floats:
    """Two to six times with at least `style.min_gap` between them, anywhere on the time line (seconds)."""
    last = duration - 0.12
    room = int((last - style.first) / style.min_gap) + 1
    count = int(min(rng.integers(2, 7), max(room, 1)))
    slack = last - style.first - (count - 1) * style.min_gap
    return style.first + np.sort(rng.uniform(0.0, max(slack, 0.0), count)) + style.min_gap * np.arange(count)


def pose_curve(times: Floats, events: Floats, strengths: Floats, style: Strike) -> Floats:
    """Pose at each of `times` (t,) for events (n,) of loudness `strengths` (n,) in 0..1."""
    pose = np.zeros_like(times)
    loud = 1.0 - style.loud_contact * (1.0 - strengths)
    before = np.diff(events, prepend=-np.inf)
    for index, event in enumerate(events):
        gap_after = events[index + 1] - event if index + 1 < len(events) else np.inf
        windup_time = min(_windup_time(before[index], style), event - style.strike)
        recoil = min(style.recoil, gap_after - style.hold - style.strike - _windup_time(gap_after, style))
        _stroke(pose, times - event, windup_time, recoil, style.windup * strengths[index], loud[index], style)
    return pose


def _windup_time(gap: float, style: Strike) -> float:
    return min(style.windup_time, style.windup_share * (min(gap, 1e3) - style.hold - style.strike))


def _stroke(
    pose: Floats, since: Floats, windup_time: float, recoil: float, windup: float, loud: float, style: Strike
) -> None:
    contact = style.contact * loud
    phase = (since >= -style.strike - windup_time) & (since < -style.strike)
    x = (since[phase] + style.strike + windup_time) / max(windup_time, 1e-6)
    pose[phase] = -windup * (1.0 - (1.0 - x) ** 2)
    phase = (since >= -style.strike) & (since < 0.0)
    x = since[phase] / style.strike + 1.0
    pose[phase] = -windup + (contact + windup) * x**style.power
    pose[(since >= 0.0) & (since < style.hold)] = contact
    phase = (since >= style.hold) & (since < style.hold + recoil)
    x = (since[phase] - style.hold) / recoil
    pose[phase] = contact * (1.0 - 0.5 * (x + x * x * (3.0 - 2.0 * x)))
