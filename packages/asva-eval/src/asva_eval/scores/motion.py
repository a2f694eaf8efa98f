"""How much moves: the figure to read every other score beside, since a frozen video wins many of them."""

from __future__ import annotations

from typing import ClassVar, Literal

from asva_eval.observations import MotionCurve
from asva_eval.scores.base import Ratio, Score, strict


@strict
class Motion(Score):
    """Mean length of the optical flow in percent of the shorter side per second; 0 for a frozen video."""

    score: Literal["motion"] = "motion"

    title: ClassVar = "amount of motion"
    unit: ClassVar = "% of the shorter side per second"
    blind_to: ClassVar = "whether the motion is right; noise and flicker count as motion"

    def observations(self, protocol):
        return (MotionCurve(),)

    def of_clip(self, clip, sound, protocol, networks):
        return Ratio(clip.generated.facts(MotionCurve())["amount"])
