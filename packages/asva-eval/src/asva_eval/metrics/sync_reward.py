"""SyncReward: a network's guess of how people would rate the sync, from 0 to 2."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from asva_eval.cutting import Cut
from asva_eval.metrics.pe_av import RATE, SHIFTS, over_sounds, shifted_sounds
from asva_eval.observations import Observation, Observed
from asva_eval.score import CHANCES, Score
from asva_eval.weights import Networks
from asva_metrics import reward_windows


class RewardFeatures(Observation):
    """SyncReward's embeddings of 18 windows of the picture, and of the sound at its own and at shifted times."""

    needs: ClassVar = ("sync_reward",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        import torch

        network, sounds = networks["sync_reward"], shifted_sounds(cut)
        frames, samples = reward_windows(len(cut.moving), cut.moving_fps, sounds.shape[1], RATE)
        video = network.embed_video([cut.moving[window] for window in frames])
        silent = torch.nn.functional.pad(sounds, (0, 1))  # which sample -1 stands for
        heard = [network.embed_audio(one[torch.from_numpy(samples)].to(networks.device)) for one in silent]
        tensors = {"video": video, "sound": torch.stack(heard)}
        return Observed({}, {name: values.float().cpu().numpy() for name, values in tensors.items()})


def _reward(networks: Networks, sounds: np.ndarray, video: np.ndarray) -> np.ndarray:
    return networks.run("sync_reward", "head", sounds, video)


SCORE = Score(
    name="sync_reward",
    title="SyncReward",
    better="higher",
    blind_to="all but the middle 4.75 s; shorter clips are filled up with their last frame and silence, which it was "
    "never trained on; what its raters did not see",
    chance_rule=f"its own sound shifted circularly ({SHIFTS} steps); sounds of other clips",
    observations=(RewardFeatures(),),
    of_clip=over_sounds(RewardFeatures(), _reward),
    chances=CHANCES,
)
