"""PE-AV: do sound and picture belong together? Cosine of their embeddings, and the probability that the model gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from asva_eval.cutting import Cut
from asva_eval.network_observations import mono_sound
from asva_eval.observations import Observation, Observed, sound_of
from asva_eval.score import CHANCES, Score, ScoredClip
from asva_eval.weights import Networks
from asva_metrics import cosine_similarity

RATE, SHIFTS = 48000, 4
"""Of its sound; circular shifts of the sound that it is given besides its own time."""


class PEAVFeatures(Observation):
    """PE-AV's embeddings of the picture, and of the sound at its own and at shifted times."""

    needs: ClassVar = ("pe_av",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        network, sounds = networks["pe_av"], shifted_sounds(cut).to(networks.device)
        video = network.embed_video(cut.moving)[0]
        sound = network.embed_audio(sounds)
        return Observed({}, {"video": video.float().cpu().numpy(), "sound": sound.float().cpu().numpy()})


def shifted_sounds(cut: Cut) -> Any:
    """(1 + 4, s) the clip's sound at 48 kHz, as it is and moved circularly."""
    import torch

    sound_of(cut)
    sound = mono_sound(cut, RATE)
    steps = [0, *(round((k + 0.5) / SHIFTS * len(sound)) for k in range(SHIFTS))]
    return torch.stack([sound.roll(step) for step in steps])


def over_sounds(features: Observation, compare: Callable[..., np.ndarray]) -> Callable[[ScoredClip], float]:
    """What a clip adds: the comparison of its picture with the sound, or its mean over the shifted sounds."""

    def of_clip(clip: ScoredClip) -> float:
        sounds = clip.sound.tensor(features, "sound")[slice(1, None) if clip.shifted else slice(1)]
        video = np.broadcast_to(clip.generated.tensor(features, "video"), sounds.shape).copy()
        return float(np.mean(compare(clip.networks, sounds, video)))

    return of_clip


def _cosine(networks: Networks, sounds: np.ndarray, video: np.ndarray) -> np.ndarray:
    return np.asarray(cosine_similarity(sounds, video))


def _match(networks: Networks, sounds: np.ndarray, video: np.ndarray) -> np.ndarray:
    return networks.run("pe_av", "match", sounds, video)


SHARED: dict[str, Any] = {
    "better": "higher",
    "blind_to": "time, as far as its excess over shifted sounds shows: it compares what a clip is about",
    "chance_rule": f"its own sound shifted circularly ({SHIFTS} steps); sounds of other clips",
    "observations": (PEAVFeatures(),),
    "chances": CHANCES,
    "frozen_wins": True,
}
SCORES = (
    Score(name="pe_av", title="PE-AV, cosine", of_clip=over_sounds(PEAVFeatures(), _cosine), **SHARED),
    Score(name="pe_av_match", title="PE-AV, probability", of_clip=over_sounds(PEAVFeatures(), _match), **SHARED),
)
