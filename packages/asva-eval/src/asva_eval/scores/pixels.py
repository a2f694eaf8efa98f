"""PSNR against the true frames: for models that should draw the very clip, such as interpolators."""

from __future__ import annotations

from typing import ClassVar, Literal

from asva_eval.observations import PixelError
from asva_eval.scores.base import Ratio, Score, Undefined, strict


@strict
class PSNR(Score):
    """Peak signal-to-noise ratio of the protocol's frames.

    Attributes:
        where: All pixels, or those of the true clip that move (16 grey levels from their median in time).
    """

    score: Literal["psnr"] = "psnr"
    where: Literal["all", "moving"] = "all"

    unit: ClassVar = "dB"
    better: ClassVar = "higher"
    blind_to: ClassVar = "good motion that is not the true one; a blurred or still picture is rewarded"
    of_reference: ClassVar = False
    frozen_wins: ClassVar = True

    @property
    def title(self):
        return "PSNR" if self.where == "all" else "PSNR of what moves"

    @property
    def name(self):
        return self.label or ("psnr" if self.where == "all" else "psnr_moving")

    def observations(self, protocol):
        return (PixelError(),)

    def of_clip(self, clip, sound, protocol, networks):
        value = clip.generated.facts(PixelError())[self.where]
        if isinstance(value, str):
            raise Undefined(value)
        return Ratio(value)
