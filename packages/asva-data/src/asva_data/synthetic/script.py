"""What happens in a clip: the events of the moving object, as poses for the eye and as a track for the ear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import sounds
from .puppet import ObjectClass
from .timing import event_times, pose_curve

SPARK_SECONDS = 0.06


@dataclass(frozen=True)
class Script:
    """Events (n,) of one object: seconds, words, and loudness in 0..1."""

    kind: ObjectClass
    times: NDArray[np.float64]
    labels: list[str]
    strengths: NDArray[np.float64]
    duration: float

    def own(self, label: str) -> NDArray[np.bool_]:
        """Which events carry this label."""
        return np.array([word == label for word in self.labels], dtype=bool)

    def poses(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """(t, channels) pose of each moving part; the ambient class drifts evenly."""
        if self.kind.ambient:
            return (times / self.duration)[:, None]
        columns = []
        for label in self.kind.labels:
            own = self.own(label)
            columns.append(pose_curve(times, self.times[own], self.strengths[own], self.kind.style))
        return np.stack(columns, axis=1)

    def sparks(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(t, channels) True on the one or two frames right after an event."""
        since = times[:, None] - self.times[None, :]
        fresh = (since >= 0.0) & (since < SPARK_SECONDS)
        columns = [fresh[:, self.own(label)].any(axis=1) for label in self.kind.labels]
        return np.stack(columns, axis=1) if columns else np.zeros((len(times), 1), dtype=bool)

    def waveform(self, rng: np.random.Generator, rate: int) -> NDArray[np.float32]:
        """Its sound (1, s): the events, a little noise, a random level."""
        count = round(self.duration * rate)
        pitch = float(np.exp(rng.uniform(-0.13, 0.13)))
        if self.kind.ambient:
            track = 0.3 * sounds.wind_track(rng, rate, count)
        elif self.kind.continuous:
            envelope = pose_curve(np.arange(count) / rate, self.times, self.strengths, self.kind.style)
            track = sounds.swell_track(envelope, pitch, rate)
        else:
            track = sounds.hit_track(
                rng, self.kind.name, self.times, self.labels, self.strengths, pitch, rate, count
            )  # fmt: skip
        level = rng.uniform(0.5, 0.9) / max(float(np.abs(track).max()), 1e-3)
        noise = 10.0 ** rng.uniform(-3.2, -2.0) * rng.standard_normal(count, dtype=np.float32)
        return np.clip(np.float32(level) * track + noise, -1.0, 1.0).astype(np.float32)[None]


def draw_script(rng: np.random.Generator, kind: ObjectClass, duration: float) -> Script:
    """Draw the events of a clip of `duration` seconds."""
    if kind.ambient:
        return Script(kind, np.zeros(0), [], np.zeros(0), duration)
    times = event_times(rng, kind.style, duration)
    labels = [kind.labels[i] for i in rng.integers(len(kind.labels), size=len(times))]
    return Script(kind, times, labels, rng.uniform(0.55, 1.0, len(times)), duration)
