"""Events: what is seen to happen against what is heard, and against what the true clip shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from asva.evaluation.observations import MotionChange, SoundEvents, SoundGrowth
from asva.evaluation.scores.base import CHANCES, Ratio, Score, Undefined, strict
from asva_metrics import ShiftProfile, match_events, shift_profile
from asva_metrics.events import EventMatch

if TYPE_CHECKING:
    from asva.evaluation.records import Record

STILL = 0.2
"""Change of motion below which a picture is still, in thousandths of its width; see `asva_metrics.seen_events`."""


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


@strict
class Profile(Score):
    """Correlation of the change of motion with what begins to sound, at the sound's own time."""

    score: Literal["profile"] = "profile"

    title: ClassVar = "motion with sound, correlation"
    better: ClassVar = "higher"
    blind_to: ClassVar = "what happens; steady sounds and motions, whose curves are flat"
    chance_rule: ClassVar = "mean over all circular shifts of the sound; sounds of other clips"
    chances: ClassVar = CHANCES

    def observations(self, protocol):
        return MotionChange(), SoundGrowth()

    def of_clip(self, clip, sound, protocol, networks):
        profile = shift_curve(clip.generated, sound)
        return Ratio(0.0 if profile is None else profile.score)

    def shifted(self, clip, protocol, networks):
        profile = shift_curve(clip.generated, clip.sound)
        return Ratio(0.0 if profile is None else float(profile.scores.mean()))


@strict
class ProfileOffset(Profile):
    """How far from its own time the sound would fit the motion best."""

    score: Literal["profile_offset"] = "profile_offset"

    title: ClassVar = "time to the best shift of the sound"
    unit: ClassVar = "ms"
    better: ClassVar = "lower"
    blind_to: ClassVar = "regular rhythms, which fit at several shifts"

    def of_clip(self, clip, sound, protocol, networks):
        return Ratio(1000 * abs(self._profile(clip, sound).offset))

    def shifted(self, clip, protocol, networks):
        profile = self._profile(clip, clip.sound)
        reach = profile.shifts[-1]
        moved = (profile.offset + profile.shifts + reach) % (2 * reach) - reach
        return Ratio(1000 * float(np.abs(moved).mean()))

    def _profile(self, clip, sound):
        profile = shift_curve(clip.generated, sound)
        if profile is None:
            raise Undefined("nothing moves")
        return profile


def shift_curve(generated: Record, sound: Record) -> ShiftProfile | None:
    """The shift profile of one record's motion with another's sound, by `asva_metrics.shift_profile`.

    Returns:
        The profile; None of a still picture, whose correlation would be that of the codec's noise.

    Raises:
        Undefined: If there is no sound, or one that never begins.
    """
    motion, growth = generated.facts(MotionChange()), sound.facts(SoundGrowth())
    if max(motion["curve"]) < STILL:
        return None
    times = np.arange(len(motion["curve"])) / motion["fps"]
    heard = np.interp(times, np.arange(len(growth["curve"])) / growth["fps"], growth["curve"])
    profile = shift_profile(motion["curve"], heard, motion["fps"])
    if profile.reason:
        raise Undefined(profile.reason)
    return profile
