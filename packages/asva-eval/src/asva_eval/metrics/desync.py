"""DeSync: the offset that Synchformer names, over the first and the last 4.8 s of each clip (av-benchmark)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from asva_eval.cutting import SLACK, Cut
from asva_eval.network_observations import mono_sound
from asva_eval.observations import Observation, Observed, sound_of
from asva_eval.score import Score, ScoredClip
from asva_eval.weights import Networks
from asva_metrics import desync, synchformer_mel, synchformer_video
from asva_metrics.desync import RATE, SECONDS, SEGMENTS


class SynchformerFeatures(Observation):
    """Synchformer's features of every 0.64 s of picture and of sound."""

    needs: ClassVar = ("synchformer",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        import torch.nn.functional as F

        sound_of(cut)
        network, device = networks["synchformer"], networks.device
        frames, sound = cut.moving, mono_sound(cut, RATE)[: round(cut.seconds * RATE)]
        seconds = min((len(frames) + 1) / cut.moving_fps, len(sound) / RATE)
        if cut.seconds < SECONDS or seconds < cut.seconds - SLACK:
            found = min(seconds, cut.seconds)
            raise ValueError(f"Synchformer compares {SECONDS:g} s of picture and sound, got {found:.2f} s")
        missing = max(0, round(cut.seconds * cut.moving_fps) - len(frames))  # within the slack: the last is shown on
        video = synchformer_video(np.concatenate((frames, *[frames[-1:]] * missing)), cut.moving_fps)
        mel = synchformer_mel(F.pad(sound, (0, round(cut.seconds * RATE) - len(sound)))[None])
        found = {"video": network.embed_video(video.to(device)), "sound": network.embed_audio(mel.to(device))}
        return Observed({}, {name: values[0].float().cpu().numpy() for name, values in found.items()})


def of_clip(clip: ScoredClip) -> float:
    features = SynchformerFeatures()
    sound, video = clip.sound.tensor(features, "sound"), clip.generated.tensor(features, "video")
    windows = (slice(SEGMENTS), slice(-SEGMENTS, None))
    logits = (clip.networks.run("synchformer", "compare", sound[None, w], video[None, w]) for w in windows)
    return desync(*logits)


SCORE = Score(
    name="desync",
    title="DeSync",
    unit="s",
    better="lower",
    blind_to="steps below 0.2 s; events that are missing, added or wrong, and drift: it names one offset for 4.8 s, "
    "however unsure; real clips do not reach 0, and models that were given Synchformer's features trained on it",
    chance_rule="sounds of other clips",
    observations=(SynchformerFeatures(),),
    of_clip=of_clip,
    chances=("swapped",),
)
