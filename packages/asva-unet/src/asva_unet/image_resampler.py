"""Projector from the image tower's tokens to a few tokens per frame (KeyVID, section 3.1; DynamiCrafter)."""

import torch
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.attention import attend, join_heads, split_heads


class ImageResampler(ModelMixin, ConfigMixin):
    """Learned queries, ``num_queries`` for each frame of the clip, read the tokens of one picture.

    All queries see one another, so the tokens of a frame are picked after the projection, never before it.

    Args:
        num_frames: Frames of a whole clip; 1 gives tokens that all frames share.
        num_queries: Tokens per frame.
        dim: Width inside.
        embedding_dim: Width of the image tower.
        output_dim: Width of the result, the U-Net's ``cross_attention_dim``.
        depth: Layers.
        heads: Heads of each attention.
        dim_head: Channels of a head.
        ff_mult: Width of the feed-forward layers relative to ``dim``.
    """

    _supports_gradient_checkpointing = False

    @register_to_config
    def __init__(
        self,
        num_frames: int = 48,
        num_queries: int = 16,
        dim: int = 1024,
        embedding_dim: int = 1280,
        output_dim: int = 1024,
        depth: int = 4,
        heads: int = 12,
        dim_head: int = 64,
        ff_mult: int = 4,
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(1, num_frames * num_queries, dim) / dim**0.5)
        self.proj_in = nn.Linear(embedding_dim, dim)
        self.layers = nn.ModuleList(ResamplerLayer(dim, heads, dim_head, ff_mult) for _ in range(depth))
        self.proj_out = nn.Linear(dim, output_dim)
        self.norm_out = nn.LayerNorm(output_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, n, embedding_dim) tokens of a picture -> (b, num_frames * num_queries, output_dim), frame by frame.

        Raises:
            ValueError: If the width of ``tokens`` is another one.
        """
        width = self.config["embedding_dim"]
        if tokens.ndim != 3 or tokens.shape[2] != width:
            raise ValueError(f"`tokens` must have shape (b, n, {width}), got {tuple(tokens.shape)}.")
        latents = self.latents.expand(tokens.shape[0], -1, -1)
        tokens = self.proj_in(tokens)
        for layer in self.layers:
            latents = layer(latents, tokens)
        return self.norm_out(self.proj_out(latents))

    def with_num_frames(self, num_frames: int) -> "ImageResampler":
        """The same projector for clips of another length (KeyVID code, which takes DynamiCrafter's from 16 to 48).

        The queries are blended linearly along the frames (bilinear, corners not aligned); the other weights are
        shared with this network, not copied.

        Args:
            num_frames: Frames of a whole clip, at least 1.

        Raises:
            ValueError: If ``num_frames`` is below 1.
        """
        if num_frames < 1:
            raise ValueError(f"`num_frames` must be at least 1, got {num_frames}.")
        arguments = {name: value for name, value in self.config.items() if not name.startswith("_")}
        with torch.device("meta"):
            other = ImageResampler(**{**arguments, "num_frames": num_frames})
        queries = self.latents.detach().unflatten(1, (self.config["num_frames"], -1)).flatten(2)  # (1, t, q*d)
        queries = F.interpolate(queries.transpose(1, 2), size=num_frames, mode="linear", align_corners=False)
        latents = queries.transpose(1, 2).unflatten(2, (self.config["num_queries"], -1)).flatten(1, 2)
        other.load_state_dict({**dict(self.named_parameters()), "latents": latents.contiguous()}, assign=True)
        return other.train(self.training)


class ResamplerLayer(nn.Module):
    """Queries look at the picture and at one another, then pass a feed-forward layer."""

    def __init__(self, dim: int, heads: int, dim_head: int, ff_mult: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_tokens = nn.LayerNorm(dim)
        self.norm_latents = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, heads * dim_head, bias=False)
        self.to_kv = nn.Linear(dim, 2 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim, bias=False)
        self.norm_ff = nn.LayerNorm(dim)
        self.ff_in = nn.Linear(dim, ff_mult * dim, bias=False)
        self.ff_out = nn.Linear(ff_mult * dim, dim, bias=False)

    def forward(self, latents: Tensor, tokens: Tensor) -> Tensor:
        queries = self.norm_latents(latents)
        context = torch.cat([self.norm_tokens(tokens), queries], dim=1)
        query = split_heads(self.to_q(queries), self.heads)
        key, value = (split_heads(x, self.heads) for x in self.to_kv(context).chunk(2, dim=-1))
        latents = latents + self.to_out(join_heads(attend(query, key, value)))
        return latents + self.ff_out(F.gelu(self.ff_in(self.norm_ff(latents))))
