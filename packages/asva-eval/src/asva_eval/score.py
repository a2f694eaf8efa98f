"""What a score is: a description, the observations it is made of, and what each clip adds to a ratio of sums.

Every score of single clips is a sum of numerators over a sum of denominators: a mean has denominators of 1, F1 has
2 tp over 2 tp + fp + fn. So clips, classes and processes add up, and resampling is a matter of weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from asva_eval.conventions import Conventions
from asva_eval.observations import Observation
from asva_eval.records import MeasuredClip, Record, Undefined
from asva_eval.weights import Networks
from asva_metrics import Interval


@dataclass(frozen=True, kw_only=True)
class ScoredClip:
    """One clip as a score sees it.

    Attributes:
        generated: Record of the generated clip.
        reference: Record of the true clip.
        sound: Record whose sound counts: the generated clip's, or for the swapped chance level that of another clip.
        shifted: Whether the score is wanted with the sound shifted circularly, the mean or the sum over the shifts.
        text: What text scores compare with; empty if there is none.
        protocol: Lengths, tolerance, number of shifts.
        networks: Those that were given.
        options: Settings of the score.
    """

    generated: Record
    reference: Record
    sound: Record
    shifted: bool
    text: str
    protocol: Conventions
    networks: Networks
    options: Mapping[str, Any]


CHANCES = ("shifted", "swapped")
"""Chance levels: the clip's own sound shifted circularly, and the sounds of other clips."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score: what reports say of it, what it needs, and how it is computed.

    Attributes:
        name: Its name in protocols; of a chosen score that in reports.
        title: What tables call it.
        unit: Unit, if it has one.
        better: Which direction is better, if one is.
        blind_to: What it cannot see.
        chance_rule: How its chance levels are made.
        chances: Those that it has, of "shifted" and "swapped".
        needs: Names of the weights that it takes; those of its observations are added.
        observations: What must be observed in each clip.
        of_clip: What one clip adds: a value, whose mean is the score, or a numerator and a denominator. It raises
            `Undefined` with the reason where the clip does not define the score.
        features: For distances of sets instead of `of_clip`: the observation whose features are compared.
        options: Settings with their allowed values, the first one being the default.
        variant: Makes name and title of the settings, where they depend on them.
        of_reference: Whether the true clips themselves have a figure.
        frozen_wins: Whether a frozen video does well.
        scale: What the number is multiplied by, such as 100 as papers print fractions.
        settings: All settings with their values; empty until a protocol has chosen the score.
    """

    name: str
    title: str = ""
    unit: str = ""
    better: Literal["higher", "lower", ""] = ""
    blind_to: str = ""
    chance_rule: str = ""
    chances: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()
    of_clip: Callable[[ScoredClip], float | tuple[float, float]] | None = None
    features: Callable[[Conventions, Mapping[str, Any]], Observation] | None = None
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variant: Callable[[Mapping[str, Any]], tuple[str, str]] | None = None
    of_reference: bool = True
    frozen_wins: bool = False
    scale: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def chosen(self, settings: Mapping[str, Any]) -> Score:
        """This score as a protocol asks for it.

        Args:
            settings: ``label`` (a name in reports), ``scale`` and the score's own options.

        Raises:
            ValueError: If a setting is unknown or has another value than those allowed.
        """
        given = {"score": self.name, "label": "", "scale": 1.0}
        given |= {key: allowed[0] for key, allowed in self.options.items()}
        if unknown := [str(key) for key in settings if key not in given]:
            raise ValueError(f"`{unknown[0]}` is no setting of {self.name}, which has {', '.join(given)}.")
        given |= settings
        for key, allowed in self.options.items():
            if given[key] not in allowed:
                raise ValueError(f"`{key}` must be one of {', '.join(allowed)}, got {given[key]!r}.")
        label, scale = given["label"], given["scale"]
        if not isinstance(label, str):
            raise ValueError(f"`label` must be a name, got {label!r}.")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale):
            raise ValueError(f"`scale` must be a number, got {scale!r}.")
        name, title = self.variant(given) if self.variant else (self.name, self.title)
        return replace(
            self,
            name=label or name,
            title=label or title,
            scale=float(scale),
            needs=tuple(dict.fromkeys(name for one in (*self.observations, self) for name in one.needs)),
            settings=given | {"scale": float(scale)},
        )

    def observed(self, protocol: Conventions) -> tuple[Observation, ...]:
        """What must be observed in each clip under a protocol."""
        return (self.features(protocol, self.settings),) if self.features else self.observations

    def describe(self) -> dict[str, Any]:
        """What the score is, for whoever reads its number."""
        names = ("name", "title", "unit", "better", "settings", "blind_to", "chance_rule", "frozen_wins", "needs")
        return {name: getattr(self, name) for name in names} | {"needs": list(self.needs)}


@dataclass(frozen=True)
class Contributions:
    """What the clips of one system add to a score.

    Attributes:
        score: (n, 2) numerators and denominators; zeros where undefined.
        shifted: (n, 2) the same with the sound shifted circularly, or None if the score does not depend on it.
        swapped: (n, 2) the same with sounds of other clips, or None.
        reasons: Why a clip is undefined; empty strings where it is not.
    """

    score: np.ndarray
    shifted: np.ndarray | None
    swapped: np.ndarray | None
    reasons: list[str]

    @property
    def values(self) -> np.ndarray:
        """(n,) score of each clip; nan where undefined."""
        return _ratio(self.score)

    @property
    def excess(self) -> np.ndarray:
        """(n,) what each clip scores above its own picture with other clips' sounds; nan where undefined."""
        return self.values - (np.nan if self.swapped is None else _ratio(self.swapped))


def _ratio(rows: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return rows[:, 0] / rows[:, 1]


def contributions(
    score: Score, clips: Sequence[MeasuredClip], protocol: Conventions, networks: Networks
) -> Contributions:
    """What all clips of a system add, with both chance levels."""
    table, reasons = np.zeros((len(clips), 3, 2)), []
    for row, clip in zip(table, clips, strict=True):
        try:
            row[:] = _row(score, clip, protocol, networks)
            reasons.append("")
        except Undefined as error:
            reasons.append(str(error))
    shifted, swapped = (table[:, i] if name in score.chances else None for i, name in enumerate(CHANCES, start=1))
    return Contributions(table[:, 0], shifted, swapped, reasons)


def _row(score: Score, clip: MeasuredClip, protocol: Conventions, networks: Networks) -> np.ndarray:
    """(3, 2) what a clip adds with its own sound, with it shifted, and with those of others together."""

    def added(sound: Record, shifted: bool = False) -> np.ndarray:
        seen = ScoredClip(
            generated=clip.generated,
            reference=clip.reference,
            sound=sound,
            shifted=shifted,
            text=clip.text,
            protocol=protocol,
            networks=networks,
            options=score.settings,
        )
        value = score.of_clip(seen)
        return np.array(value if isinstance(value, tuple) else (value, 1.0), dtype=np.float64)

    row = np.zeros((3, 2))
    row[0] = added(clip.generated)
    if "shifted" in score.chances:
        row[1] = added(clip.generated, shifted=True)
    for stranger in clip.strangers if "swapped" in score.chances else ():
        try:
            row[2] += added(stranger)
        except Undefined:
            continue
    if not np.isfinite(row).all():
        raise Undefined("the score is not finite")
    return row


def scaled(interval: Interval, scale: float) -> dict[str, float | None]:
    """An interval as it stands in reports."""
    values = {"value": interval.estimate, "low": interval.low, "high": interval.high}
    return {name: finite_or_none(value * scale) for name, value in values.items()}


def finite_or_none(value: float) -> float | None:
    """JSON has no nan: None stands for undefined."""
    return float(value) if np.isfinite(value) else None
