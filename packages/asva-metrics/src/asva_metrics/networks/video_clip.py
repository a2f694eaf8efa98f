"""VideoCLIP-XL: clips and long texts in one space, for Text-C (Wang et al., 2024)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from asva_metrics.networks.preprocessing import unit_range
from asva_weights import KeyTable

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KEPT_POSITIONS = 20
"""Places of a text whose embeddings stay those of CLIP; later ones are stretched (Long-CLIP)."""
TABLE = KeyTable(unused=r"text_model\.logit_scale|vision_model\.temp")
"""Names are the same; cosines do not need the temperatures of the training in the released file."""


class VideoCLIP(ModelMixin, ConfigMixin):
    """Towers of 8 frames and of texts of up to 248 tokens; names of weights are those of the released file.

    The picture tower is CLIP's with every patch of every frame in one attention; a place in time is added to each.
    The defaults are VideoCLIP-XL's.

    Args:
        vision_width: Width of the picture tower.
        vision_layers: Its blocks.
        vision_heads: Its heads.
        image_size: Side of a frame.
        patch_size: Side of a patch.
        num_frames: Frames of a clip.
        text_width: Width of the text tower.
        text_layers: Its blocks.
        text_heads: Its heads.
        vocab_size: Tokens of CLIP's tokenizer.
        context_length: Most tokens of a text.
        embedding_size: Width of the joint space.
    """

    @register_to_config
    def __init__(
        self,
        vision_width: int = 1024,
        vision_layers: int = 24,
        vision_heads: int = 16,
        image_size: int = 224,
        patch_size: int = 14,
        num_frames: int = 8,
        text_width: int = 768,
        text_layers: int = 12,
        text_heads: int = 12,
        vocab_size: int = 49408,
        context_length: int = 248,
        embedding_size: int = 768,
    ) -> None:
        super().__init__()
        patches = (image_size // patch_size) ** 2
        self.vision_model = nn.Module()
        self.vision_model.vision_encoder = _Pictures(
            vision_width, vision_layers, vision_heads, patch_size, patches, num_frames, embedding_size
        )
        self.text_model = _Texts(text_width, text_layers, text_heads, vocab_size, context_length, embedding_size)

    @torch.no_grad()
    def embed_video(self, video: Tensor) -> Tensor:
        """Embed clips.

        Of t frames every ``t // 8``-th is seen, the first 8 of these, as published: the end of a clip may not count.

        Args:
            video: (b, t, 3, h, w) uint8, or float in [0, 1]; at least 8 frames.

        Returns:
            (b, d) of unit length.

        Raises:
            ValueError: If the shape or the kind of number is another, or there are fewer frames.
        """
        wanted, side = self.config["num_frames"], self.config["image_size"]
        values = unit_range(video, "video", 5)
        if values.shape[1] < wanted:
            raise ValueError(f"`video` must have at least {wanted} frames, got {values.shape[1]}.")
        seen = values[:, :: values.shape[1] // wanted][:, :wanted]
        frames = F.interpolate(seen.flatten(0, 1), (side, side), mode="bilinear", align_corners=False)
        mean, std = (torch.tensor(x, device=frames.device)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
        pixels = ((frames - mean) / std).unflatten(0, seen.shape[:2])
        return F.normalize(self.vision_model.vision_encoder(pixels.to(self.dtype)), dim=-1)

    @torch.no_grad()
    def embed_text(self, input_ids: Tensor) -> Tensor:
        """Embed texts.

        Args:
            input_ids: (n, context_length) of CLIP's tokenizer, filled up after the end token, whose id is the largest.

        Returns:
            (n, d) of unit length.

        Raises:
            ValueError: If the shape is another.
        """
        length = self.config["context_length"]
        if input_ids.ndim != 2 or input_ids.shape[1] != length:
            raise ValueError(f"`input_ids` must have shape (n, {length}), got {tuple(input_ids.shape)}.")
        return F.normalize(self.text_model(input_ids), dim=-1)


class _Block(nn.Module):
    """Pre-norm block of CLIP, with its approximation of GELU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        normed = self.ln_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        hidden = self.mlp["c_fc"](self.ln_2(tokens))
        return tokens + self.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))


class _Blocks(nn.Module):
    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            tokens = block(tokens, mask)
        return tokens


class _Pictures(nn.Module):
    """(b, t, 3, h, w) -> (b, d): the class token, after attention over all patches of all frames."""

    def __init__(self, width: int, layers: int, heads: int, patch: int, patches: int, frames: int, out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, (1, patch, patch), (1, patch, patch), bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(1 + patches, width))
        self.temporal_positional_embedding = nn.Parameter(torch.zeros(1, frames, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = _Blocks(width, layers, heads)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, out))

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.conv1(pixels.transpose(1, 2)).flatten(3).permute(0, 3, 2, 1)  # (b, n, t, d)
        patches = patches + self.positional_embedding[1:, None] + self.temporal_positional_embedding
        first = (self.class_embedding + self.positional_embedding[0]).expand(len(pixels), 1, -1)
        tokens = self.transformer(self.ln_pre(torch.cat((first, patches.flatten(1, 2)), dim=1)))
        return self.ln_post(tokens[:, 0]) @ self.proj


class _Texts(nn.Module):
    """(n, l) token ids -> (n, d): the token at the end of the text."""

    def __init__(self, width: int, layers: int, heads: int, vocabulary: int, length: int, out: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(length, width))
        self.positional_embedding_res = nn.Parameter(torch.zeros(length, width))
        self.transformer = _Blocks(width, layers, heads)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, out))

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        kept = torch.arange(length, device=ids.device)[:, None] < KEPT_POSITIONS
        places = torch.where(kept, self.positional_embedding, self.positional_embedding_res)
        mask = torch.full((length, length), float("-inf"), device=ids.device, dtype=places.dtype).triu(1)
        tokens = self.ln_final(self.transformer(self.token_embedding(ids) + places, mask))
        return tokens[torch.arange(len(ids), device=ids.device), ids.argmax(dim=-1)] @ self.text_projection
