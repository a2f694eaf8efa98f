"""ImageBind's towers for images and texts, and the joint space of all three modalities (Girdhar et al., 2023)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from asva_audio import ImageBindAudioEncoder, ImageBindAudioHead
from asva_metrics.networks.preprocessing import clip_video

EPS = 1e-6


class Attention(nn.Module):
    """Self attention over tokens, causal for texts."""

    def __init__(self, hidden_size: int, num_heads: int, causal: bool) -> None:
        super().__init__()
        self.num_heads, self.causal = num_heads, causal
        self.to_qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.to_out = nn.Linear(hidden_size, hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        heads = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in self.to_qkv(tokens).chunk(3, dim=-1))
        return self.to_out(F.scaled_dot_product_attention(*heads, is_causal=self.causal).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, hidden_size: int, num_heads: int, causal: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=EPS)
        self.attention = Attention(hidden_size, num_heads, causal)
        self.norm2 = nn.LayerNorm(hidden_size, eps=EPS)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_size, 4 * hidden_size), nn.GELU(), nn.Linear(4 * hidden_size, hidden_size)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class ImageBindVisionTower(ModelMixin, ConfigMixin):
    """Images or pairs of frames -> unit vectors; the defaults are those of ``imagebind_huge``.

    Args:
        hidden_size: Width of the tokens.
        num_hidden_layers: Number of blocks.
        num_attention_heads: Heads; divides ``hidden_size``.
        embedding_size: Width of the joint space.
        image_size: Side of the images.
        patch_size: Side of a patch.
    """

    @register_to_config
    def __init__(
        self,
        hidden_size: int = 1280,
        num_hidden_layers: int = 32,
        num_attention_heads: int = 16,
        embedding_size: int = 1024,
        image_size: int = 224,
        patch_size: int = 14,
    ) -> None:
        super().__init__()
        self.patch = nn.Conv3d(3, hidden_size, (2, patch_size, patch_size), (2, patch_size, patch_size), bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(1, 1, hidden_size))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (image_size // patch_size) ** 2, hidden_size))
        self.norm = nn.LayerNorm(hidden_size, eps=EPS)
        self.blocks = nn.ModuleList(Block(hidden_size, num_attention_heads, False) for _ in range(num_hidden_layers))
        self.head_norm = nn.LayerNorm(hidden_size, eps=EPS)
        self.projection = nn.Linear(hidden_size, embedding_size, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Embed images from `asva_metrics.clip_video`.

        Args:
            images: (n, 3, h, w), each shown twice, or pairs of frames (n, 2, 3, h, w); sides of ``image_size``.

        Returns:
            (n, embedding_size) of unit length.

        Raises:
            ValueError: If the shape is another.
        """
        pairs = images[:, None].expand(-1, 2, -1, -1, -1) if images.ndim == 4 else images
        side = self.config["image_size"]
        if pairs.ndim != 5 or pairs.shape[1:] != (2, 3, side, side):
            raise ValueError(
                f"`images` must have shape (n, 3, {side}, {side}) or (n, 2, 3, {side}, {side}), "
                f"got {tuple(images.shape)}."
            )
        tokens = self.patch(pairs.transpose(1, 2).to(self.patch.weight.dtype)).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.class_embedding.expand(len(tokens), -1, -1), tokens), dim=1) + self.positions
        tokens = self.norm(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return F.normalize(self.projection(self.head_norm(tokens[:, 0])), dim=-1)


class ImageBindTextTower(ModelMixin, ConfigMixin):
    """Texts -> unit vectors; the defaults are those of ``imagebind_huge``.

    Args:
        hidden_size: Width of the tokens.
        num_hidden_layers: Number of blocks.
        num_attention_heads: Heads; divides ``hidden_size``.
        embedding_size: Width of the joint space.
        vocab_size: Number of tokens.
        context_length: Most tokens of a text.
    """

    @register_to_config
    def __init__(
        self,
        hidden_size: int = 1024,
        num_hidden_layers: int = 24,
        num_attention_heads: int = 16,
        embedding_size: int = 1024,
        vocab_size: int = 49408,
        context_length: int = 77,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.positions = nn.Parameter(torch.zeros(1, context_length, hidden_size))
        self.blocks = nn.ModuleList(Block(hidden_size, num_attention_heads, True) for _ in range(num_hidden_layers))
        self.head_norm = nn.LayerNorm(hidden_size, eps=EPS)
        self.projection = nn.Linear(hidden_size, embedding_size, bias=False)
        # A temperature of the training, kept for the checkpoint; cosines do not need it.
        self.register_buffer("log_scale", torch.tensor(20.0).log())

    def forward(self, input_ids: Tensor) -> Tensor:
        """Embed texts.

        Args:
            input_ids: (n, context_length) of CLIP's tokenizer, filled up after the end token, whose id is the largest.

        Returns:
            (n, embedding_size) of unit length.

        Raises:
            ValueError: If the shape is another.
        """
        length = self.config["context_length"]
        if input_ids.ndim != 2 or input_ids.shape[1] != length:
            raise ValueError(f"`input_ids` must have shape (n, {length}), got {tuple(input_ids.shape)}.")
        tokens = self.embedding(input_ids) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        last = tokens[torch.arange(len(tokens), device=tokens.device), input_ids.argmax(dim=-1)]
        return F.normalize(self.projection(self.head_norm(last)), dim=-1)


class ImageBind(nn.Module):
    """The towers of ImageBind side by side: unit vectors whose inner products are IA and IT.

    Args:
        vision: Tower of images.
        text: Tower of texts.
        audio: Trunk of sounds, stride (10, 10).
        audio_head: Its projection.
    """

    def __init__(
        self,
        vision: ImageBindVisionTower,
        text: ImageBindTextTower,
        audio: ImageBindAudioEncoder,
        audio_head: ImageBindAudioHead,
    ) -> None:
        super().__init__()
        self.vision, self.text, self.audio, self.audio_head = vision, text, audio, audio_head

    def embed_video(self, video: Tensor) -> Tensor:
        """(b, t, 3, h, w) uint8 or in [0, 1] -> (b, t, d), every frame by itself."""
        frames = clip_video(video, size=self.vision.config["image_size"])
        return self.vision(frames.flatten(0, 1)).unflatten(0, video.shape[:2])

    def embed_audio(self, mel: Tensor) -> Tensor:
        """(b, 1, 128, 204) from `asva_audio.imagebind_mel` -> (b, d)."""
        return F.normalize(self.audio_head(self.audio(mel).last_hidden_state), dim=-1)

    def embed_text(self, input_ids: Tensor) -> Tensor:
        """(b, 77) token ids -> (b, d)."""
        return self.text(input_ids)
