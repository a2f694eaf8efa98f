"""Local sync: whether any part of the picture changes in time with the sound, and at which shift it would best."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from asva_eval.observations import LocalSignals
from asva_eval.scores.base import CHANCES, Ratio, Score, Undefined, strict
from asva_metrics import local_sync_profile

if TYPE_CHECKING:
    from asva_metrics import ShiftProfile


@strict
class LocalSync(Score):
    """How far the sound's own time stands above the mean of all its shifts, in standard deviations of the profile."""

    score: Literal["local_sync"] = "local_sync"

    title: ClassVar = "local sync"
    unit: ClassVar = "standard deviations above the mean shift"
    better: ClassVar = "higher"
    blind_to: ClassVar = "what happens; steady sounds and motions; regular rhythms, which fit at several shifts"
    chance_rule: ClassVar = "0, the mean over all shifts, by definition; sounds of other clips"
    chances: ClassVar = CHANCES

    def observations(self, protocol):
        return (LocalSignals(),)

    def of_clip(self, clip, sound, protocol, networks):
        profile = _profile(clip, sound)
        return Ratio(0.0 if profile is None else profile.excess)

    def shifted(self, clip, protocol, networks):
        return Ratio(0.0)


@strict
class LocalOffset(LocalSync):
    """How far from its own time the sound would fit the picture best."""

    score: Literal["local_offset"] = "local_offset"

    title: ClassVar = "time to the best shift of the sound"
    unit: ClassVar = "ms"
    better: ClassVar = "lower"
    blind_to: ClassVar = "how well it fits there; regular rhythms, which fit at several shifts; still pictures"
    chance_rule: ClassVar = "a quarter of the clip, the mean over all shifts; sounds of other clips"

    def of_clip(self, clip, sound, protocol, networks):
        profile = _profile(clip, sound)
        if profile is None:
            raise Undefined("nothing moves, or nothing begins to sound")
        return Ratio(1000 * abs(profile.offset))

    def shifted(self, clip, protocol, networks):
        return Ratio(1000 * protocol.seconds / 4)


def _profile(clip, sound) -> ShiftProfile | None:
    """The profile of a clip's picture with the sound of some record; None where one of them is flat."""
    seen, signals = clip.generated, LocalSignals()
    changes, growth = seen.tensor(signals, "changes"), sound.tensor(signals, "growth")
    profile = local_sync_profile(changes, seen.facts(signals)["fps"], growth)
    return None if profile.reason else profile
