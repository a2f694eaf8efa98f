"""How far a video has drifted: colours, contrast and sharpness of a window's frames against the first frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EPSILON = 1e-6


@dataclass(frozen=True)
class Look:
    """What a picture looks like, whatever it shows.

    Attributes:
        colour: (3,) mean of each channel, 0 to 255.
        contrast: (3,) standard deviation of each channel.
        sharpness: Mean difference of neighbouring pixels.
    """

    colour: np.ndarray
    contrast: np.ndarray
    sharpness: float

    @classmethod
    def of(cls, frame: np.ndarray) -> Look:
        """That of one frame (h, w, 3) uint8."""
        pixels = frame.astype(np.float32)
        steps = [np.abs(np.diff(pixels, axis=axis)).mean() for axis in (0, 1)]
        return cls(pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1)), float(np.mean(steps)))


class Drift:
    """Compares the frames of a window with the first frame of the video, one after the other.

    >>> drift = Drift(Look.of(np.zeros((4, 4, 3), np.uint8)))
    >>> drift.add(np.full((4, 4, 3), 10, np.uint8)); drift.report()["colour"]
    10.0
    """

    def __init__(self, first: Look) -> None:
        self.first = first
        self._looks: list[Look] = []

    def add(self, frame: np.ndarray) -> None:
        """Count one frame (h, w, 3) uint8."""
        self._looks.append(Look.of(frame))

    def report(self) -> dict[str, float]:
        """Mean over the frames counted: `colour`, the largest shift of a channel's mean in levels of 255, and the
        `contrast` and `sharpness` as parts of the first frame's; 0, 1 and 1 are no drift."""
        colour = np.mean([look.colour for look in self._looks], axis=0) - self.first.colour
        contrast = np.mean([look.contrast for look in self._looks]) / max(float(np.mean(self.first.contrast)), EPSILON)
        sharpness = np.mean([look.sharpness for look in self._looks]) / max(self.first.sharpness, EPSILON)
        return {
            "colour": round(float(np.abs(colour).max()), 3),
            "contrast": round(float(contrast), 4),
            "sharpness": round(float(sharpness), 4),
        }
