"""What the U-Nets look at: text, image and audio tokens of a batch of clips, and of nothing (KeyVID, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from asva_audio import frame_audio_tokens
from asva_unet import UNetConditions
from asva_unet.guidance import BRANCHES
from asva_unet.stage import Tokens


@dataclass(frozen=True)
class ClipTokens(Tokens):
    """Those of the clips, the sound's as the trunk gives them, not yet grouped by frames.

    Attributes:
        grid: (frequency, time) patches of the audio trunk.
        num_frames: Frames t of the whole clip.
        alignment: How audio tokens are grouped by frames.
    """

    grid: tuple[int, int]
    num_frames: int
    alignment: Literal["aligned", "official"]

    def conditions(self, unet: Any, branch: str, frame_indices: Tensor, stage: str) -> UNetConditions:
        """Keys and values of one guidance branch for the frames (b, k) of one stage."""
        with_text, with_image, with_audio = BRANCHES[branch]
        image = self.image[with_image]
        if image.shape[1] > 1:
            image = image[torch.arange(len(image), device=image.device)[:, None], frame_indices]
        audio = frame_audio_tokens(
            self.audio[with_audio],
            frame_indices,
            grid=self.grid,
            num_frames=self.num_frames,
            alignment=self.alignment,
            stage=stage,
        )
        return unet.encode_conditions(self.text[with_text], image, audio)


def audio_tokens(audio_encoder: Any, mel: Tensor, device: Any) -> Tensor:
    """(b, n, d) output of the trunk's last block for normalised mels, on the device where it runs."""
    return audio_encoder(mel.to(device)).last_hidden_state
