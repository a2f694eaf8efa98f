"""What a score is: a few settings, the observations it is made of, and a ratio of sums over clips.

Every score of single clips is a sum of numerators over a sum of denominators: a mean has denominators of 1, F1 has
2 tp over 2 tp + fp + fn. So clips, classes and processes add up, and resampling is a matter of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np

from asva_data.settings import strict

if TYPE_CHECKING:
    from asva_eval.observations import Observation
    from asva_eval.protocol import Protocol
    from asva_eval.records import MeasuredClip, Record
    from asva_eval.weights import Networks

CHANCES = ("shifted", "swapped")
"""Chance levels: the clip's own sound shifted circularly, and the sounds of other clips."""


class Undefined(ValueError):
    """A score that a clip does not define; the message is the reason."""


class Ratio(NamedTuple):
    """What one clip adds to a score."""

    numerator: float
    denominator: float = 1.0


@dataclass(frozen=True)
class Contributions:
    """What the clips of one system add to a score.

    Attributes:
        score: (n, 2) numerators and denominators; zeros where undefined.
        shifted: (n, 2) the same with the sound shifted circularly, or None if the score does not listen.
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
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.score[:, 0] / self.score[:, 1]


@strict
class Score:
    """Base of all scores; the class variables describe it in reports (``absent``: why it is never measured).

    Attributes:
        label: Name in reports, if another is wanted (needed where a protocol has a score twice).
        scale: What the number is multiplied by, such as 100 as papers print fractions.
    """

    label: str = ""
    scale: float = 1.0

    title: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", ""]] = ""
    blind_to: ClassVar[str] = ""
    chance_rule: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    of_reference: ClassVar[bool] = True
    frozen_wins: ClassVar[bool] = False
    absent: ClassVar[str] = ""
    chances: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """Key of the score in reports."""
        return self.label or self.score

    def observations(self, protocol: Protocol) -> Sequence[Observation]:
        """What must be observed in each clip."""
        return ()

    def of_clip(self, clip: MeasuredClip, sound: Record, protocol: Protocol, networks: Networks) -> Ratio:
        """What one clip adds, heard with the sound of some record.

        Raises:
            Undefined: If the clip does not define the score.
        """
        raise NotImplementedError

    def shifted(self, clip: MeasuredClip, protocol: Protocol, networks: Networks) -> Ratio:
        """What it would add with its sound shifted circularly, summed over the shifts; for scores with that chance."""
        raise NotImplementedError

    def contributions(self, clips: Sequence[MeasuredClip], protocol: Protocol, networks: Networks) -> Contributions:
        """What all clips of a system add, with both chance levels."""
        rows, reasons = [], []
        for clip in clips:
            try:
                rows.append(self._row(clip, protocol, networks))
                reasons.append("")
            except Undefined as error:
                rows.append(np.zeros((3, 2)))
                reasons.append(str(error))
        table = np.stack(rows)
        shifted, swapped = (table[:, i] if name in self.chances else None for i, name in enumerate(CHANCES, start=1))
        return Contributions(table[:, 0], shifted, swapped, reasons)

    def _row(self, clip: MeasuredClip, protocol: Protocol, networks: Networks) -> np.ndarray:
        row = np.zeros((3, 2))
        row[0] = self.of_clip(clip, clip.sound, protocol, networks)
        if "shifted" in self.chances:
            row[1] = self.shifted(clip, protocol, networks)
        if "swapped" in self.chances:
            row[2] = self._swapped(clip, protocol, networks)
        if not np.isfinite(row).all():
            raise Undefined("the score is not finite")
        return row

    def _swapped(self, clip: MeasuredClip, protocol: Protocol, networks: Networks) -> np.ndarray:
        total = np.zeros(2)
        for stranger in clip.strangers:
            try:
                total += self.of_clip(clip, stranger, protocol, networks)
            except Undefined:
                continue
        return total


def settings_of(score: Score) -> dict:
    """The settings of a score, by name."""
    from dataclasses import asdict

    return asdict(score)
