"""The papers' U-Nets as controls.py asks a backbone: each hears by its own layers, and latents are those of frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asva_dit.backbones import Backbone, Question
from asva_dit.with_control import Hearing
from asva_unet import AVSyncDUNet, KeyVIDUNet

UNETS = {
    "AVSyncD": (16, 40),
    "KeyVID, every frame": (16, 32),
    "audio windows": (16, 32),
    "AVSyncD without first-frame lookups": (16, 40),
}
"""Widths of the levels."""
TEXT = 16
RADIUS = 1.5
"""Frames that an audio window reaches to either side (Scaling up, figure 4b)."""


class HearingUNet(nn.Module):
    """A U-Net method beside a clean first frame.

    Args:
        kind: Of `UNETS`.
        channels: Of the latents.
        sound_dim: Width of the audio tokens.
        fps: Frames per second.
    """

    def __init__(self, kind: str, channels: int, sound_dim: int, fps: float) -> None:
        super().__init__()
        self.kind, self.fps, self.config = kind, fps, {"patch_size": 1}
        self.heard: Hearing | None = None
        if kind.startswith("AVSyncD"):
            lookups = "without" not in kind
            self.unet: nn.Module = AVSyncDUNet(
                first_frame_conv=lookups,
                first_frame_attention=lookups,
                in_channels=channels,
                out_channels=channels,
                block_out_channels=UNETS[kind],
                norm_num_groups=8,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                layers_per_block=1,
                attention_head_dim=4,
                cross_attention_dim=TEXT,
                audio_cross_attention_dim=sound_dim,
            )
        else:
            windows = kind == "audio windows"
            self.unet = KeyVIDUNet(
                in_channels=2 * channels,
                out_channels=channels,
                block_out_channels=UNETS[kind],
                norm_num_groups=8,
                attention_levels=(False, True),
                layers_per_block=1,
                attention_head_dim=16,
                cross_attention_dim=TEXT,
                audio_embed_dim=sound_dim,
                audio_cross_attention=not windows,
                audio_window_attention=windows,
                audio_window_dim=sound_dim,
                init_attention=False,
                dropout=0.0,
            )

    def listen(self, hearing: Hearing | None) -> None:
        self.heard = hearing

    def sounds(self, frames: int) -> tuple[Tensor | None, Tensor | None]:
        """Tokens (b, n, d), and which of them each frame hears (t, n)."""
        if self.heard is None:
            return None, None
        (sound,) = self.heard.features.values()
        middles = (torch.arange(frames, dtype=torch.float64) + 0.5) / self.fps
        radius = (RADIUS if self.kind == "audio windows" else 0.5) / self.fps
        return sound.tokens, (sound.times - middles[:, None]).abs() <= radius + 1e-9

    def forward(self, noisy: Tensor, time: Tensor, text: Tensor, first: Tensor) -> Tensor:
        b, frames = noisy.shape[:2]
        tokens, near = self.sounds(frames)
        if self.kind.startswith("AVSyncD"):
            if tokens is None:
                tokens, near = noisy.new_zeros(b, frames, self.unet.config.audio_cross_attention_dim), None
            return self.unet(torch.cat([first, noisy[:, 1:]], 1), time, text, tokens, near, return_dict=False)[0]
        asked = torch.cat([noisy, first.expand_as(noisy)], dim=2)
        further = {"fps": self.fps, "frame_indices": torch.arange(frames).expand(b, -1), "return_dict": False}
        if self.kind == "audio windows":
            return self.unet(asked, time, text, audio_window_embeds=tokens, audio_window_mask=near, **further)[0]
        share = None if tokens is None else torch.stack([tokens[:, heard] for heard in near], dim=1)
        return self.unet(asked, time, text, audio_embeds=share, **further)[0]


def _ask(network: HearingUNet, question: Question) -> Tensor:
    return network(question.noisy, 999 * question.time, question.text, question.first)


FRAMES_OF_THEIR_OWN = Backbone(
    name="unet",
    transformer="HearingUNet",
    enter="",
    frames=1,
    frames_per_latent=1,
    predicts="velocity",
    ask=_ask,
)
