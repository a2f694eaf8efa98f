"""Short pieces of a file handed to whatever judges picture and sound: networks, text detectors, separators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from asva_curate.curation.curve import Curve


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """A piece of a file.

    Attributes:
        path: The file.
        label: Its class.
        start: Seconds from the start of the file.
        seconds: How long it is.
        frames: (t, h, w, 3) uint8 RGB, upright.
        times: (t,) seconds from `start`.
        waveform: (c, s) float32 from `start` on, or None without sound.
        sample_rate: In Hz, or None without sound.
    """

    path: str
    label: str
    start: float
    seconds: float
    frames: np.ndarray
    times: np.ndarray
    waveform: np.ndarray | None
    sample_rate: int | None


Score = Callable[[Excerpt], "float | Mapping[str, float]"]
"""Judges an excerpt: a number, or several by name. What it raises fails the file, not the run.

One with an attribute `stride` is asked only about excerpts that lie so many seconds apart.
"""


@dataclass
class Judges:
    """Cuts a file into excerpts as its frames go by and has each judged by every score.

    Attributes:
        scores: Name to judge. Curves have the name of the score, or the names that it returns.
        cut_sound: ``(start, seconds) -> (waveform or None, sample rate or None)``.
        path: The file.
        label: Its class.
        seconds: Length of an excerpt.
        stride: Seconds from one to the next.
        fps: Frames per second in an excerpt, at most.
    """

    scores: Mapping[str, Score]
    cut_sound: Callable[[float, float], tuple[np.ndarray | None, int | None]]
    path: str
    label: str
    seconds: float
    stride: float
    fps: float

    def __post_init__(self) -> None:
        self._held: list[tuple[float, np.ndarray]] = []
        self._points: dict[str, list[tuple[float, float, float]]] = {}
        self._next_frame, self._index = 0.0, 0

    def see(self, time: float, to_rgb: Callable[[], np.ndarray]) -> None:
        """Take the next frame of the file, if an excerpt needs it."""
        self._judge(time)
        if time >= self._next_frame - 1e-3:
            self._next_frame = max(self._next_frame, time - 1 / self.fps) + 1 / self.fps
            self._held.append((time, to_rgb()))

    def finish(self, end: float) -> dict[str, Curve]:
        """The curves of a file that ends at `end` seconds."""
        self._judge(end)
        return {name: Curve.of(points) for name, points in self._points.items()}

    def _judge(self, time: float) -> None:
        """Judge every excerpt that is over at `time`."""
        while self._index * self.stride + self.seconds <= time + 1e-3:
            start = self._index * self.stride
            self._held = [(seen, frame) for seen, frame in self._held if seen >= start - 1e-3]
            held = [(seen, frame) for seen, frame in self._held if seen < start + self.seconds - 1e-3]
            if held:
                self._ask(start, held)
            self._index += 1

    def _ask(self, start: float, held: list[tuple[float, np.ndarray]]) -> None:
        waveform, sample_rate = self.cut_sound(start, self.seconds)
        excerpt = Excerpt(
            path=self.path,
            label=self.label,
            start=start,
            seconds=self.seconds,
            frames=np.stack([frame for _, frame in held]),
            times=np.array([seen - start for seen, _ in held]),
            waveform=waveform,
            sample_rate=sample_rate,
        )
        for name, score in self.scores.items():
            if self._index % max(1, round(getattr(score, "stride", 0.0) / self.stride)):
                continue
            answer = score(excerpt)
            for key, value in (answer if isinstance(answer, Mapping) else {name: answer}).items():
                self._points.setdefault(key, []).append((start, start + self.seconds, float(value)))
