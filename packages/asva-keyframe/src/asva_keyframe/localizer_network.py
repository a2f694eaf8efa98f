"""The keyframe localizer: a network from sound to motion curve (KeyVID, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from asva_audio.imagebind_network import ImageBindNetwork
from asva_weights.networks import ConfiguredNetwork, configured

OFFICIAL_AUDIO_ENCODER: dict[str, Any] = {"num_frames": 198, "stride": (4, 4), "class_token": False}
"""Encoder of the original localizer: 29 x 46 = 1334 tokens, no class token."""


@dataclass
class MotionLocalizerOutput:
    """What the localizer reads from a sound.

    Attributes:
        motion_curve: (b, num_frames) motion score of each frame, trained on curves scaled to [0, 1]; not clipped.
        hidden: (b, num_frames, d) features of each frame.
    """

    motion_curve: Tensor
    hidden: Tensor


class OfficialHead(nn.Module):
    """The original's fully connected layers: every token to every frame.

    Args:
        num_tokens: Tokens of the encoder.
        num_frames: Frames to predict.
        width: Channels of a token.
        bottleneck: Channels of a frame before the last layer.
    """

    def __init__(self, num_tokens: int, num_frames: int, width: int, bottleneck: int = 16) -> None:
        super().__init__()
        self.to_frames = nn.Linear(num_tokens, num_frames)
        self.to_bottleneck = nn.Linear(width, bottleneck)
        self.to_scores = nn.Linear(bottleneck * num_frames, num_frames)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Map tokens (b, n, d) to scores (b, t) and hidden (b, t, d)."""
        hidden = self.to_frames(tokens.transpose(1, 2)).transpose(1, 2)
        scores = self.to_scores(self.to_bottleneck(hidden.relu()).relu().flatten(1))
        return scores + hidden.mean(dim=-1), hidden


class ColumnsHead(nn.Module):
    """The same small network at every frame, so that a sound later in time gives the same curve later in time.

    The frequency tokens of each time column are pooled with learned weights (equal ones at the start), then three
    temporal convolutions follow, which reach seven frames to either side.

    Args:
        grid: Frequency rows and time columns of the encoder; columns are frames.
        width: Channels of a token.
        inner: Channels of the convolutions.
    """

    def __init__(self, grid: tuple[int, int], width: int, inner: int = 128) -> None:
        super().__init__()
        self.grid = grid
        self.pool = nn.Linear(width, 1)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(
            nn.Conv1d(width, inner, 5, padding=2, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv1d(inner, inner, 5, padding=2, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv1d(inner, 1, 7, padding=3, padding_mode="replicate"),
        )
        nn.init.zeros_(self.pool.weight)
        nn.init.zeros_(self.pool.bias)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Map tokens (b, n, d) to scores (b, t) and hidden (b, t, d)."""
        columns = self.norm(tokens[:, -self.grid[0] * self.grid[1] :]).unflatten(1, self.grid)
        hidden = (columns * self.pool(columns).softmax(dim=1)).sum(dim=1)
        return self.layers(hidden.transpose(1, 2)).squeeze(1), hidden


class LocalizerNetwork(ConfiguredNetwork):
    """Predict the motion score of each frame from a mel spectrogram (KeyVID, section 3.1).

    Args:
        audio_encoder: Configuration of `asva_audio.ImageBindNetwork`; None is the original's.
        num_frames: Values of the curve.
        head: "official" for the original's fully connected layers; "columns" for ours, whose encoder must have one
            time column for each frame, and which learns from less data.
        bottleneck: Channels of a frame before the last layer of the official head.

    Raises:
        ValueError: If `head` is unknown, or the encoder's columns are not `num_frames` with "columns".
    """

    encoder_class: ClassVar[type[ImageBindNetwork]] = ImageBindNetwork

    @configured
    def __init__(
        self,
        audio_encoder: dict[str, Any] | None = None,
        num_frames: int = 48,
        head: Literal["official", "columns"] = "official",
        bottleneck: int = 16,
    ) -> None:
        super().__init__()
        options = OFFICIAL_AUDIO_ENCODER if audio_encoder is None else audio_encoder
        self.encoder = self.encoder_class(**{k: v for k, v in options.items() if not k.startswith("_")})
        grid, width = self.encoder.grid, self.encoder.config["hidden_size"]
        if head == "official":
            num_tokens = grid[0] * grid[1] + int(self.encoder.config["class_token"])
            self.predictor = OfficialHead(num_tokens, num_frames, width, bottleneck)
        elif head == "columns":
            if grid[1] != num_frames:
                raise ValueError(
                    f"`audio_encoder` must have one time column for each of the {num_frames} frames with "
                    f'`head="columns"`, got {grid[1]}. For 48 frames in two seconds leave its `num_frames` '
                    "and `stride` at 204 and (10, 4)."
                )
            self.predictor = ColumnsHead(grid, width)
        else:
            raise ValueError(f'`head` must be "official" or "columns", got {head!r}.')

    def forward(self, mel: Tensor, output_hidden_states: bool = False) -> Tensor | MotionLocalizerOutput:
        """Predict motion curves.

        Args:
            mel: (b, 1, f, n) normalised mel; frames beyond the encoder's length are left out.
            output_hidden_states: Return a `MotionLocalizerOutput` with the features too.

        Returns:
            (b, num_frames) curves, or the output object.
        """
        tokens = self.encoder(mel[..., : self.encoder.config["num_frames"]]).last_hidden_state
        motion_curve, hidden = self.predictor(tokens)
        return MotionLocalizerOutput(motion_curve, hidden) if output_hidden_states else motion_curve

    @torch.no_grad()
    def predict(self, mel: Tensor) -> Tensor:
        """Curves of `mel` as (b, num_frames) float32 on the CPU, neither scaled nor clipped, as the original has it.

        Scaling them to [0, 1] would blow a silent sound's flat curve up to one full of peaks.
        """
        return self(mel).float().cpu()
