"""What the U-Nets look at: text, image and audio tokens of a batch of clips, and of nothing (KeyVID, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from asva_unet import UNetConditions
from asva_unet.guidance import BRANCHES


@dataclass(frozen=True)
class ClipTokens:
    """Tokens of each condition, given (True) and left out (False).

    Attributes:
        text: (b, n, d).
        image: (b, t, q, d), or (b, 1, q, d) where all frames share them.
        audio: (b, n, d) of the trunk, not yet grouped by frames.
        grid: (frequency, time) patches of the audio trunk.
        num_frames: Frames t of the whole clip.
        alignment: How audio tokens are grouped by frames.
    """

    text: dict[bool, Tensor]
    image: dict[bool, Tensor]
    audio: dict[bool, Tensor]
    grid: tuple[int, int]
    num_frames: int
    alignment: str

    def conditions(self, unet: Any, branch: str, frame_indices: Tensor, stage: str) -> UNetConditions:
        """Keys and values of one guidance branch for the frames (b, k) of one stage."""
        from asva_audio import frame_audio_tokens

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

    def to(self, dtype: torch.dtype) -> ClipTokens:
        """The same in another precision."""
        cast = {
            name: {key: x.to(dtype) for key, x in getattr(self, name).items()} for name in ("text", "image", "audio")
        }
        return replace(self, **cast)


def audio_tokens(audio_encoder: Any, mel: Tensor, device: Any) -> Tensor:
    """(b, n, d) output of the trunk's last block for normalised mels, on the device where it runs."""
    return audio_encoder(mel.to(device)).last_hidden_state
