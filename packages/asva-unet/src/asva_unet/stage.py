"""One diffusion stage: a U-Net, its conditions encoded once, and the sampling loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from asva_unet.conditions import UNetConditions
from asva_unet.deep_features import FeatureCache
from asva_weights.offloading import onload

View = tuple[int, int]


@dataclass(frozen=True)
class Tokens:
    """From which the conditions of any branch and any frames are made: each given (True) and left out (False).

    Attributes:
        text: (b, n, d).
        image: (b, t, q, d), or (b, 1, q, d) where all frames share them.
        audio: (b, n, d); None without sound.
    """

    text: dict[bool, Tensor]
    image: dict[bool, Tensor]
    audio: Mapping[bool, Tensor | None]

    def conditions(self, unet: Any, branch: str, frame_indices: Tensor, stage: str) -> UNetConditions:
        """Keys and values of one guidance branch for the frames (b, k) of one stage."""
        raise NotImplementedError

    def to(self, dtype: torch.dtype) -> Self:
        """The same in another precision."""
        cast = {
            name: {key: None if x is None else x.to(dtype) for key, x in getattr(self, name).items()}
            for name in ("text", "image", "audio")
        }
        return replace(self, **cast)


class StageNetwork:
    """``predict`` of :func:`asva_unet.denoise`: every branch's conditions are encoded once and used at every step.

    Args:
        unet: The stage's network.
        tokens: Text, image and sound of the clips.
        stage: `"keyframe"` or `"interp"`.
        frame_indices: (b, t) places of the stage's frames in the clip.
        fps: Frame rate that the network is told.
        cache: What it keeps between steps.
    """

    def __init__(
        self,
        unet: Any,
        tokens: Tokens,
        stage: str,
        frame_indices: Tensor,
        fps: float,
        cache: FeatureCache | None = None,
    ) -> None:
        self.unet, self.tokens, self.stage = unet, tokens, stage
        self.frame_indices, self.fps = frame_indices, int(fps)
        self.cache = cache or FeatureCache()
        self.dtype = unet.dtype  # asked once: diffusers walks through all modules for it
        self._encoded: dict[tuple[tuple[str, ...], View], UNetConditions] = {}

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...], view: View | None = None) -> Tensor:
        """Answer for the named branches, laid one behind the other along the batch; `view` is a window of frames."""
        view = view or (0, self.frame_indices.shape[1])
        answer = self.unet(
            sample.to(self.dtype),
            timestep,
            fps=torch.full((len(sample),), self.fps, device=sample.device),
            frame_indices=self.frame_indices[:, slice(*view)].repeat(len(branches), 1),
            conditions=self._conditions(branches, view),
            deep_features=self.cache.of((branches, view)),
            return_dict=False,
        )
        return answer[0].float()

    def _conditions(self, branches: tuple[str, ...], view: View) -> UNetConditions:
        if (branches, view) not in self._encoded:
            indices = self.frame_indices[:, slice(*view)]
            onload(self.unet, "encode_conditions")
            tokens = self.tokens.to(self.dtype)
            self._encoded[branches, view] = UNetConditions.cat(
                [tokens.conditions(self.unet, branch, indices, self.stage) for branch in branches]
            )
        return self._encoded[branches, view]


def align_weights(network: torch.nn.Module) -> None:
    """Copy weights that do not start at a multiple of 64 bytes, for networks up to a gigabyte on the CPU.

    Memory-mapped files give such addresses; matrix kernels then sum in another order, which is seen in the last bits.
    """
    weights = list(network.parameters())
    if sum(weight.numel() * weight.element_size() for weight in weights) > 2**30:
        return
    for weight in weights:
        if weight.device.type == "cpu" and weight.data_ptr() % 64:
            weight.data = weight.data.clone()
