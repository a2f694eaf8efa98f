"""A filter: bounds on one number of a file or of a stretch of it, and the reason for which it drops."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import StrictFloat

from asva_curate.curation.curve import statistic
from asva_curate.curation.measurements import Measurements
from asva_data import MediaError

FILE_NUMBERS = {
    "duration": lambda m: m.duration,
    "sound_seconds": lambda m: m.sound_seconds,
    "fps": lambda m: m.fps,
    "short_side": lambda m: min(m.height, m.width),
    "aspect": lambda m: m.width / max(1, m.height),
    "sound_gap": lambda m: abs(m.sound_seconds - m.duration),
}
"""Numbers of a whole file that a filter may ask for, besides the curves."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Keeps what lies within bounds.

    Attributes:
        name: What it is called in counts and reasons.
        measure: A curve, or one of `FILE_NUMBERS`.
        stat: Which number of a curve, see `statistic`.
        min: Least value kept, or None.
        max: Largest value kept, or None.
        optional: Whether it is passed over where its curve was not measured, because no model was given.
    """

    name: str
    measure: str
    stat: str = "mean"
    min: StrictFloat | None = None
    max: StrictFloat | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        for bound in (self.min, self.max):
            if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float) or bound != bound):
                raise MediaError(f"`min` and `max` of filter {self.name} must be numbers, got {bound!r}.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise MediaError(f"`min` of filter {self.name} must not exceed `max`, got {self.min} and {self.max}.")

    @property
    def on_file(self) -> bool:
        """Whether it judges the file as a whole."""
        return self.measure in FILE_NUMBERS

    @property
    def active(self) -> bool:
        """Whether it has a bound at all."""
        return self.min is not None or self.max is not None

    def applies(self, measured: Measurements) -> bool:
        """Whether it can and should judge this file.

        Raises:
            MediaError: If it needs a curve that was not measured and is not optional.
        """
        if not self.active:
            return False
        if self.on_file or self.measure in measured.curves or (self.measure in SOUND and not measured.sound_seconds):
            return True
        if self.optional:
            return False
        raise MediaError(
            f"`{self.measure}` must be measured for filter {self.name}, got {sorted(measured.curves)};"
            " give a score of this name, or take the filter out."
        )

    def value(self, measured: Measurements, start: float = 0.0, end: float = math.inf) -> float:
        """The number it looks at; NaN where the stretch holds none."""
        if self.on_file:
            return float(FILE_NUMBERS[self.measure](measured))
        curve = measured.curves.get(self.measure)
        return float("nan") if curve is None else statistic(curve.within(start, end), self.stat)

    def reason(self, value: float) -> str | None:
        """Why something with this value is dropped, or None if it is kept."""
        if math.isnan(value):
            return f"{self.name}: nothing measured"
        if self.min is not None and value < self.min:
            return f"{self.name}: {value:.4g} < {self.min:g}"
        if self.max is not None and value > self.max:
            return f"{self.name}: {value:.4g} > {self.max:g}"
        return None


SOUND = ("level", "peak")
"""Curves of the sound, which a mute file has none of: a filter that asks for them drops it."""
