"""SyncReward's head: 18 windows of picture and sound, embedded by PE-AV, become what people would say of their sync."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


class SyncRewardHead(ModelMixin, ConfigMixin):
    """A transformer over the windows of both streams; names of weights are those of the released file.

    Args:
        dim: Width of the embeddings.
        num_segments: Windows of each stream.
        sync_dim: Width of the transformer.
        num_layers: Its blocks.
        num_heads: Their heads.
    """

    @register_to_config
    def __init__(
        self, dim: int = 1024, num_segments: int = 18, sync_dim: int = 768, num_layers: int = 3, num_heads: int = 8
    ) -> None:
        super().__init__()
        self.reward_token, self.mod_token = (nn.Parameter(torch.zeros(1, 1, sync_dim)) for _ in range(2))
        self.pos_embed = nn.Parameter(torch.zeros(1, 2 + 2 * num_segments, sync_dim))
        self.audio_proj, self.video_proj = nn.Linear(dim, sync_dim), nn.Linear(dim, sync_dim)
        self.audio_ln, self.video_ln = nn.LayerNorm(sync_dim), nn.LayerNorm(sync_dim)
        block = nn.TransformerEncoderLayer(
            sync_dim, num_heads, 4 * sync_dim, activation=F.gelu, batch_first=True, norm_first=True
        )
        self.interaction = nn.TransformerEncoder(block, num_layers, enable_nested_tensor=False)
        self.final_ln = nn.LayerNorm(sync_dim)
        self.reward_head = nn.Sequential(nn.Linear(sync_dim, sync_dim), nn.GELU(), nn.Linear(sync_dim, 1))

    def forward(self, audio: Tensor, video: Tensor) -> Tensor:
        """Rewards of clips.

        Args:
            audio: (b, n, d) embeddings of the windows, of unit length.
            video: (b, n, d) of the picture.

        Returns:
            (b,) from 0 to 2, larger for in time.

        Raises:
            ValueError: If the shapes differ, or there are more or fewer windows.
        """
        count = self.config["num_segments"]
        if audio.shape != video.shape or audio.ndim != 3 or audio.shape[1] != count:
            got = f"{tuple(audio.shape)} and {tuple(video.shape)}"
            raise ValueError(f"`audio` and `video` must have one shape (b, {count}, d), got {got}.")
        seen, heard = self.video_ln(self.video_proj(video)), self.audio_ln(self.audio_proj(audio))
        reward, middle = (token.expand(len(audio), -1, -1) for token in (self.reward_token, self.mod_token))
        hidden = self.interaction(torch.cat((reward, seen, middle, heard), dim=1) + self.pos_embed)
        return 2 * torch.sigmoid(self.reward_head(self.final_ln(hidden[:, 0]))).squeeze(-1)
