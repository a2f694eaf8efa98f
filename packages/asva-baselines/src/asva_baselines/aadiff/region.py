"""Where in the picture the stressed words are attended to, which alone shall change (AADiff, section 3)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional as F


class WordRegion:
    """The region that a frame which stresses nothing attends to by the words, from all steps so far.

    As the local blend of Prompt-to-Prompt (arXiv 2208.01626, section 4), over all layers.

    Args:
        places: (b, n) which tokens are the words'.
        share: Of the greatest attention, above which a place belongs to the region; 0 to 1.
    """

    def __init__(self, places: Tensor, share: float) -> None:
        self.places, self.share = places.float(), share
        self.attention: Tensor | float = 0.0

    def keep(self, latents: Tensor) -> Tensor:
        """Latents (b, t, c, h, w) that are the first frame's outside the region."""
        spread = F.max_pool2d(torch.as_tensor(self.attention), 3, 1, 1)
        inside = spread > self.share * spread.amax((1, 2, 3), keepdim=True)
        return torch.where(inside[:, None], latents, latents[:, :1])

    @contextmanager
    def watch(self, unet: UNet2DConditionModel, rows: Tensor, size: tuple[int, int]) -> Generator[None]:
        """Add what some rows of the network's batch attend to while the block lasts.

        Args:
            unet: The network.
            rows: (b,) the calm frame of each sample, under the prompt.
            size: Height and width of the latents.
        """

        def add(attention: Any, inputs: tuple, named: dict[str, Any]) -> None:
            pixels, text = inputs[0][rows], named["encoder_hidden_states"][rows]
            query, key = (
                attention.head_to_batch_dim(layer(given))
                for layer, given in ((attention.to_q, pixels), (attention.to_k, text))
            )
            shares = attention.get_attention_scores(query, key).unflatten(0, (len(rows), -1)).mean(1).float()
            found = (shares @ self.places[..., None].to(shares)).transpose(1, 2).unflatten(2, _grid(pixels, size))
            self.attention = self.attention + F.interpolate(found, size, mode="bilinear")

        hooks = [layer.register_forward_pre_hook(add, with_kwargs=True) for layer in text_attentions(unet)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def text_attentions(unet: UNet2DConditionModel) -> list[Any]:
    """The layers in which a U-Net attends to the words."""
    return [module for name, module in unet.named_modules() if name.endswith(".attn2")]


def _grid(pixels: Tensor, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of (b, p, d) pixels, which are the latents' halved some times."""
    height, width = size
    while height * width > pixels.shape[1]:
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width
