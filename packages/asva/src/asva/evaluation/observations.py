"""What is observed in a clip without any weights: motion, sound, and how far the pixels are from the true ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

if TYPE_CHECKING:
    from asva.evaluation.cutting import Cut
    from asva.evaluation.weights import Networks

SILENT = 1e-4
"""Peak below which a sound is silence (-80 dB of full scale)."""
ENVELOPE_RATE = 100
"""Values of the drawn loudness per second."""


@dataclass(frozen=True)
class Observed:
    """What an observation found: small facts for the record, and tensors for statistics of sets."""

    facts: dict[str, Any]
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


class Observation(Protocol):
    """Something that is found in a clip once and kept, so that scores can be computed, and computed again, without it.

    Attributes:
        key: Name and settings; what was observed under an equal key is not observed again.
        needs: Names of the weights it takes.
        pair: Whether it looks at the true clip too.
    """

    needs: ClassVar[tuple[str, ...]]
    pair: ClassVar[bool]

    @property
    def key(self) -> str: ...

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        """Look and listen.

        Raises:
            ValueError: If there is nothing to be found; the message is the reason that reports give.
        """


@dataclass(frozen=True)
class Offline:
    """Base of observations without weights and settings."""

    needs: ClassVar = ()
    pair: ClassVar = False

    @property
    def key(self) -> str:
        return type(self).__name__


class MotionCurve(Offline):
    """Mean length of Farneback's flow into every frame, in pixels at the file's resolution and rate."""

    def observe(self, cut, reference, networks):
        from asva_metrics import flow_trajectory

        curve = flow_trajectory(cut.moving)
        side = min(cut.moving.shape[1:3])
        amount = float(curve[1:].mean()) * cut.moving_fps / side * 100
        return Observed({"fps": cut.moving_fps, "curve": _rounded(curve, 9), "amount": amount})


class SoundEvents(Offline):
    """Onsets of the sound in seconds, and its loudness for the eye."""

    def observe(self, cut, reference, networks):
        from asva_metrics import onset_times

        if cut.waveform is None:
            raise ValueError("no sound track")
        peak = float(np.abs(cut.waveform).max(initial=0.0))
        if peak < SILENT:
            raise ValueError("the sound is silent")
        onsets = onset_times(cut.waveform, cut.sample_rate)
        onsets = onsets[onsets < cut.seconds]
        return Observed({"onsets": _rounded(onsets, 9), "peak": peak, "envelope": _envelope(cut)})


def _envelope(cut: Cut) -> dict[str, Any]:
    count = round(cut.seconds * ENVELOPE_RATE)
    edges = np.arange(count + 1) * cut.sample_rate // ENVELOPE_RATE
    pieces = (cut.waveform[a:b] for a, b in pairwise(edges))
    return {"rate": ENVELOPE_RATE, "peaks": [round(float(np.abs(piece).max(initial=0.0)), 4) for piece in pieces]}


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()
