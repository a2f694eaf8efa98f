"""Synchronization by networks: RelSync and AlignSync of AVSyncD, our small one, SyncNet for lips, Synchformer."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from asva_eval.network_observations import (
    LIP_SEARCH,
    JointFeatures,
    LipVectors,
    SmallSyncFeatures,
    SyncFeatures,
    small_shifts,
)
from asva_eval.scores.base import CHANCES, Ratio, Score, Undefined, strict
from asva_eval.scores.semantics import frames_of, sound_of
from asva_metrics import align_sync, cosine_similarity, lip_sync, relative_sync

APART = 0.1
"""Seconds from which on a shift counts as another time."""


@strict
class RelSync(Score):
    """Odds of the generated clip against the true one by the AVSync classifier; 0.5 is as well in time as the truth."""

    score: Literal["rel_sync"] = "rel_sync"

    title: ClassVar = "RelSync"
    better: ClassVar = "higher"
    blind_to: ClassVar = "what the classifier was not trained on; the truth itself reaches 0.5 (times the scale)"
    chance_rule: ClassVar = "the generated clip's sound shifted circularly (8 steps); sounds of other clips"
    chances: ClassVar = CHANCES
    needs: ClassVar = ("avsync",)

    def observations(self, protocol):
        return (SyncFeatures(stereo=protocol.stereo),)

    def of_clip(self, clip, sound, protocol, networks):
        return Ratio(float(self._relative(clip, self._sounds(sound, protocol)[:1], protocol, networks)[0]))

    def shifted(self, clip, protocol, networks):
        sounds = self._sounds(clip.sound, protocol)[1:]
        return Ratio(float(self._relative(clip, sounds, protocol, networks).mean()))

    def _sounds(self, record, protocol):
        return record.tensor(SyncFeatures(stereo=protocol.stereo), "sounds")

    def _relative(self, clip, sounds, protocol, networks) -> np.ndarray:
        observation = SyncFeatures(stereo=protocol.stereo)
        phi = networks.sync_score(sounds, clip.generated.tensor(observation, "video"))
        true = networks.sync_score(
            self._sounds(clip.reference, protocol)[:1], clip.reference.tensor(observation, "video")
        )
        return relative_sync(phi, np.broadcast_to(true, phi.shape))


@strict
class AlignSync(RelSync):
    """RelSync times how well the frames suit the sound, against the true first frame; 0.25 is the truth itself."""

    score: Literal["align_sync"] = "align_sync"

    title: ClassVar = "AlignSync"
    blind_to: ClassVar = "what its networks were not trained on; the truth itself reaches 0.25 (times the scale)"
    needs: ClassVar = ("avsync", "imagebind")

    def observations(self, protocol):
        return SyncFeatures(stereo=protocol.stereo), JointFeatures(stereo=protocol.stereo)

    def of_clip(self, clip, sound, protocol, networks):
        return Ratio(
            super().of_clip(clip, sound, protocol, networks).numerator * self._alignment(clip, sound, protocol)
        )

    def shifted(self, clip, protocol, networks):
        # A shifted sound has the same content, so only the timing changes.
        relative = super().shifted(clip, protocol, networks).numerator
        return Ratio(relative * self._alignment(clip, clip.sound, protocol))

    def _alignment(self, clip, sound, protocol) -> float:
        heard = sound_of(sound, protocol)
        images = cosine_similarity(frames_of(clip.generated, protocol), heard)[None]
        first = clip.reference.tensor(JointFeatures(stereo=protocol.stereo), "frames")[0]
        true = cosine_similarity(first, sound_of(clip.reference, protocol))
        return float(align_sync([1.0], images, [float(true)])[0])


@strict
class SmallSync(Score):
    """Share of the circular shifts of the sound that our small classifier likes less than the sound's own time."""

    score: Literal["small_sync"] = "small_sync"

    title: ClassVar = "small sync classifier"
    better: ClassVar = "higher"
    blind_to: ClassVar = "what happens; it was trained on a synthetic world; this is not RelSync"
    chance_rule: ClassVar = "0.5, the share for a sound of any shift; sounds of other clips"
    chances: ClassVar = CHANCES
    needs: ClassVar = ("sync",)

    def observations(self, protocol):
        return (SmallSyncFeatures(),)

    def of_clip(self, clip, sound, protocol, networks):
        if sound is clip.sound:
            scores = np.array(clip.sound.facts(SmallSyncFeatures())["scores"])
        else:
            scores = networks.small_profile(
                sound.tensor(SmallSyncFeatures(), "sound"),
                clip.generated.tensor(SmallSyncFeatures(), "video"),
                small_shifts(protocol.seconds),
            )
        return Ratio(_rank(scores, 0, protocol.seconds))

    def shifted(self, clip, protocol, networks):
        scores = np.array(clip.sound.facts(SmallSyncFeatures())["scores"])
        return Ratio(float(np.mean([_rank(scores, place, protocol.seconds) for place in range(1, len(scores))])))


def _rank(scores: np.ndarray, place: int, seconds: float) -> float:
    """Share of the shifts apart from ``place`` that score less, ties counting half."""
    if np.ptp(scores) == 0:
        raise Undefined("the classifier scores every shift the same")
    steps = np.abs(np.arange(len(scores)) - place)
    distance = np.minimum(steps, len(scores) - steps) * seconds / len(scores)
    others = scores[distance >= APART]
    return float((others < scores[place]).mean() + 0.5 * (others == scores[place]).mean())


@strict
class LipSyncScore(Score):
    """Sync-C or Sync-D: confidence, or distance, of lips and voice at their best shift (SyncNet)."""

    score: Literal["sync_c", "sync_d"] = "sync_c"

    blind_to: ClassVar = "everything but a frontal face and a voice; short clips suffer from the zeros at their ends"
    chance_rule: ClassVar = "the voice moved circularly, further than the 0.6 s of the search; voices of other clips"
    chances: ClassVar = CHANCES
    needs: ClassVar = ("syncnet", "faces")

    @property
    def title(self):
        return "Sync-C, lips with voice" if self.score == "sync_c" else "Sync-D, lips from voice"

    @property
    def better(self):
        return "higher" if self.score == "sync_c" else "lower"

    def observations(self, protocol):
        return (LipVectors(),)

    def of_clip(self, clip, sound, protocol, networks):
        return Ratio(self._search(clip, sound.tensor(LipVectors(), "voice")))

    def shifted(self, clip, protocol, networks):
        voice = clip.sound.tensor(LipVectors(), "voice")
        beyond = range(LIP_SEARCH + 1, len(voice) - LIP_SEARCH)
        found = [self._search(clip, np.roll(voice, step, axis=0)) for step in beyond]
        return Ratio(float(np.mean(found))) if found else Ratio(0.0, 0.0)  # too short to be moved so far

    def _search(self, clip, voice) -> float:
        lips = clip.generated.tensor(LipVectors(), "lips")
        count = min(len(lips), len(voice))
        return getattr(lip_sync(lips[:count], voice[:count], max_shift=LIP_SEARCH), self.score)


@strict
class DeSync(Score):
    """Seconds that Synchformer holds sound and picture to be apart (MMAudio's evaluation)."""

    score: Literal["desync"] = "desync"

    title: ClassVar = "DeSync"
    unit: ClassVar = "s"
    better: ClassVar = "lower"
    blind_to: ClassVar = "steps below 0.2 s; clips shorter than 4.8 s are outside of what its network was trained on"
    absent: ClassVar = (
        "needs Synchformer's network and weights, neither of which is part of these packages; run it elsewhere and "
        "give its logits to asva_metrics.desync"
    )
