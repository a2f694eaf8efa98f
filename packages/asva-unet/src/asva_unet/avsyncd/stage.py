"""AVSyncD's network in the sampling loop: the first frame goes along clean, conditions are encoded once."""

from __future__ import annotations

from torch import Tensor, cat

from asva_unet.avsyncd.conditions import AVSyncDConditions
from asva_unet.avsyncd.unet import AVSyncDUNet
from asva_unet.deep_features import FeatureCache
from asva_unet.text_audio import BRANCHES
from asva_weights.offloading import onload


class AVSyncDStage:
    """``predict`` of :func:`asva_unet.denoise` for the frames after the first, which goes along clean.

    Args:
        unet: The network.
        first: (b, 1, c, h, w) latents of the first frame.
        text: (b, n, d) text tokens, given (True) and left out (False).
        audio: (b, n, d) audio tokens likewise; None in a network without sound.
        mask: (t, n) what each frame attends to.
        cache: What the network keeps between steps.
    """

    def __init__(
        self,
        unet: AVSyncDUNet,
        first: Tensor,
        text: dict[bool, Tensor],
        audio: dict[bool, Tensor | None],
        mask: Tensor | None,
        cache: FeatureCache | None = None,
    ) -> None:
        self.unet, self.first, self.text, self.audio, self.mask = unet, first, text, audio, mask
        self.cache = cache or FeatureCache()
        self.dtype = unet.dtype  # asked once: diffusers walks through all modules for it
        self._encoded: dict[tuple[str, ...], AVSyncDConditions] = {}

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
        """Answer for the named branches, laid one behind the other along the batch."""
        if branches not in self._encoded:
            onload(self.unet)
            self._encoded[branches] = AVSyncDConditions.cat([self._conditions(branch) for branch in branches])
        first = self.first.repeat(len(branches), 1, 1, 1, 1)
        clip = cat([first, sample[:, :, : first.shape[2]].to(first)], dim=1)
        how = {"conditions": self._encoded[branches], "deep_features": self.cache.of(branches)}
        answer = self.unet(clip.to(self.dtype), timestep, **how, return_dict=False)[0]
        return answer[:, 1:].float()

    def _conditions(self, branch: str) -> AVSyncDConditions:
        with_text, with_audio = BRANCHES[branch]
        audio = self.audio[with_audio]
        return self.unet.encode_conditions(
            self.text[with_text].to(self.dtype), None if audio is None else audio.to(self.dtype), self.mask
        )
