"""From 64 to 256 pixels, frame by frame: guided diffusion's upsampler as MM-Diffusion trains and runs it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import ModelMixin, UNet2DModel  # noqa: F401 (diffusers looks for the former where it loads from)
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import functional as F

from asva_baselines.guided_diffusion import LAYERS, block_rows
from asva_baselines.mmdiffusion.diffusion import STEPS, Chain
from asva_weights.key_table import KeyTable


class SuperResolutionUNet(UNet2DModel):
    """Noise of large frames, beside which the small ones are given; diffusers' class with as many heads everywhere.

    Args:
        block_out_channels: Channels at each resolution.
        layers_per_block: Layers at each resolution.
        attention_levels: Which resolutions have attention; the middle always has.
        num_heads: Of every attention.
    """

    @register_to_config
    def __init__(
        self,
        block_out_channels: Sequence[int] = (192, 192, 384, 384, 768, 768),
        layers_per_block: int = 2,
        attention_levels: Sequence[bool] = (False, False, False, True, True, True),
        num_heads: int = 4,
    ) -> None:
        plain, attending = ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"), ("AttnDownBlock2D", "AttnUpBlock2D")
        down, up = zip(*(attending if there else plain for there in attention_levels), strict=True)
        super().__init__(
            in_channels=6,
            out_channels=6,
            freq_shift=0,
            down_block_types=down,
            up_block_types=up[::-1],
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            downsample_type="resnet",
            upsample_type="resnet",
            attention_head_dim=None,
            attn_norm_num_groups=32,
            resnet_time_scale_shift="scale_shift",
        )
        for module in self.modules():
            if isinstance(module, Attention):
                module.heads = num_heads

    def noise(self, x: Tensor, timestep: int | Tensor, small: Tensor) -> Tensor:
        """Noise of frames (b, 3, H, W), of which small ones (b, 3, h, w) are known; the variance is left out."""
        large = F.interpolate(small, x.shape[2:], mode="bilinear", align_corners=False)
        return self(torch.cat([x, large], dim=1), timestep, return_dict=False)[0][:, :3]


def enlarge(network: SuperResolutionUNet, small: Tensor, noise: Tensor, steps: int = 25) -> Tensor:
    """Frames (t, 3, H, W) of small ones (t, 3, h, w), in [-1, 1], by DDIM from one noise (1, 3, H, W) for all."""
    chain = Chain(range(0, STEPS, STEPS // steps))
    x = noise.expand(len(small), -1, -1, -1)
    for index in reversed(range(len(chain.timesteps))):
        x = chain.ddim(x, network.noise(x, chain.timesteps[index], small), index)
    return x


def upsampler_table(network: SuperResolutionUNet) -> KeyTable:
    """What its weights are called in the released files: heads first, then queries, keys and values of each."""
    each, levels, heads = (network.config[name] for name in ("layers_per_block", "attention_levels", "num_heads"))
    rows = [(r"\.group_norm\.", ".norm."), (r"\.to_out\.0\.", ".proj_out.")]
    for place, letter in enumerate("qkv"):
        pieces = ",".join(str(3 * head + place) for head in range(heads))
        rows.append((rf"\.to_{letter}\.(weight|bias)$", rf".qkv.\1#{3 * heads}:{pieces}"))
    return KeyTable((*LAYERS, *block_rows(each, levels), *rows), ((r".*\.(qkv|proj_out)\.weight", 3),))
