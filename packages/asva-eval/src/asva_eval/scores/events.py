"""Events: what is seen to happen against what is heard, and against what the true clip shows."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from asva_eval.observations import MotionChange, SoundEvents
from asva_eval.scores.base import CHANCES, Ratio, Score, strict
from asva_metrics import EventMatch, match_events


@strict
class EventF1(Score):
    """F1 of seen against heard events, those of all clips counted together.

    Frames and sounds are matched one to one within the protocol's tolerance in seconds, so rates can be compared.
    """

    score: Literal["event_f1"] = "event_f1"

    title: ClassVar = "events seen when heard, F1"
    better: ClassVar = "higher"
    blind_to: ClassVar = "what happens: any motion will do for any sound; events off screen and steady sounds"
    chance_rule: ClassVar = "heard events shifted circularly by equal steps; heard events of other clips"
    chances: ClassVar = CHANCES

    def observations(self, protocol):
        return MotionChange(), SoundEvents()

    def of_clip(self, clip, sound, protocol, networks):
        return self.ratio(match_events(self.seen(clip), self.heard(sound), protocol.tolerance))

    def shifted(self, clip, protocol, networks):
        return self.moved(self.seen(clip), self.heard(clip.sound), protocol)

    def moved(self, seen: np.ndarray, true: np.ndarray, protocol) -> Ratio:
        """What a clip adds with the true events shifted circularly, summed over the shifts."""
        moves = (np.arange(protocol.num_shifts) + 0.5) / protocol.num_shifts * protocol.seconds
        matches = (match_events(seen, (true + move) % protocol.seconds, protocol.tolerance) for move in moves)
        return Ratio(*np.sum([self.ratio(match) for match in matches], axis=0))

    def ratio(self, match: EventMatch) -> Ratio:
        """What one clip's matched events add."""
        return Ratio(2 * match.tp, 2 * match.tp + match.fp + match.fn)

    def seen(self, clip):
        return np.asarray(clip.generated.facts(MotionChange())["events"])

    def heard(self, sound):
        return np.asarray(sound.facts(SoundEvents())["events"])


@strict
class EventError(EventF1):
    """Mean distance of matched seen and heard events."""

    score: Literal["event_error"] = "event_error"

    title: ClassVar = "time from seen to heard events"
    unit: ClassVar = "ms"
    better: ClassVar = "lower"
    blind_to: ClassVar = "events without a partner: read it beside the F1; it lies below the tolerance by definition"

    def ratio(self, match: EventMatch) -> Ratio:
        return Ratio(1000 * float(np.abs(match.errors).sum()), match.tp)


@strict
class ReferenceEventF1(EventF1):
    """F1 of the events seen in generated clips against those seen in the true ones."""

    score: Literal["reference_event_f1"] = "reference_event_f1"

    title: ClassVar = "events seen when the true clip shows them, F1"
    blind_to: ClassVar = "the sound; what happens; good motion at other times than in the true clip counts as wrong"
    chance_rule: ClassVar = "true events shifted circularly by equal steps"
    chances: ClassVar = ("shifted",)
    of_reference: ClassVar = False

    def observations(self, protocol):
        return (MotionChange(),)

    def of_clip(self, clip, sound, protocol, networks):
        return super().of_clip(clip, clip.reference, protocol, networks)

    def shifted(self, clip, protocol, networks):
        true = self.heard(clip.reference)
        moves = (np.arange(protocol.num_shifts) + 0.5) / protocol.num_shifts * protocol.seconds
        matches = (
            match_events(self.seen(clip), (true + move) % protocol.seconds, protocol.tolerance) for move in moves
        )
        return Ratio(*np.sum([self.ratio(match) for match in matches], axis=0))

    def heard(self, sound):
        return np.asarray(sound.facts(MotionChange())["events"])
