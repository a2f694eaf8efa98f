"""AV-Align in its three published rules, beside its chance levels."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from asva_eval.observations import MotionCurve, SoundEvents
from asva_eval.scores.base import CHANCES, Ratio, Score, Undefined, strict
from asva_metrics import av_align, av_align_score, motion_peaks


@strict
class AVAlign(Score):
    """Onsets of the sound that meet peaks of the motion within one frame, over all of both (TempoTokens).

    Attributes:
        rule: Whose rule, see `asva_metrics.av_align`.
    """

    score: Literal["av_align"] = "av_align"
    rule: Literal["2023", "2025", "javis"] = "2025"

    better: ClassVar = "higher"
    blind_to: ClassVar = (
        "which event belongs to which sound; dense peaks score high by chance, and in a frozen video the noise of its "
        "file has peaks; the tolerance is one frame, so figures of different frame rates cannot be compared"
    )
    chance_rule: ClassVar = "onsets shifted circularly by equal steps; onsets of other clips"
    chances: ClassVar = CHANCES

    @property
    def title(self):
        return f"AV-Align, rule of {self.rule}" if self.rule != "javis" else "AV-Align, rule of JavisBench"

    @property
    def name(self):
        return self.label or f"av_align_{self.rule}"

    def observations(self, protocol):
        return MotionCurve(), SoundEvents()

    def of_clip(self, clip, sound, protocol, networks):
        motion, onsets = self._peaks(clip), sound.facts(SoundEvents())["onsets"]
        value = av_align(onsets, motion, self._fps(clip), rule=self.rule)
        if np.isnan(value):
            raise Undefined("neither the sound nor the motion has a peak")
        return Ratio(value)

    def shifted(self, clip, protocol, networks):
        onsets = clip.sound.facts(SoundEvents())["onsets"]
        scored = av_align_score(
            onsets,
            self._peaks(clip),
            self._fps(clip),
            duration=protocol.seconds,
            rule=self.rule,
            num_shifts=protocol.num_shifts,
        )
        return Ratio(scored.chance)

    def _peaks(self, clip):
        curve = clip.generated.facts(MotionCurve())
        return motion_peaks(curve["curve"], curve["fps"], rule=self.rule)

    def _fps(self, clip):
        return clip.generated.facts(MotionCurve())["fps"]
