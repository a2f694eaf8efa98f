"""Residual block, down- and upsampling of AVSyncD: Stable Diffusion's, with first-frame convolutions."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.avsyncd.first_frame import ClipGroupNorm, FirstFrameConv


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """What all layers of one U-Net share; the names are those of ``AVSyncDUNet``."""

    embedding_dim: int
    groups: int
    eps: float
    num_heads: int
    context_dim: int
    audio_dim: int | None
    first_frame_conv: bool
    first_frame_attention: bool
    norm_over_frames: bool


class Resnet(nn.Module):
    """Two 3x3 first-frame convolutions; the time embedding is added between them."""

    def __init__(self, in_channels: int, out_channels: int, config: LayerConfig) -> None:
        super().__init__()
        norm = {"eps": config.eps, "over_frames": config.norm_over_frames}
        conv = {"first_frame": config.first_frame_conv}
        self.norm1 = ClipGroupNorm(config.groups, in_channels, **norm)
        self.conv1 = FirstFrameConv(in_channels, out_channels, **conv)
        self.time_emb_proj = nn.Linear(config.embedding_dim, out_channels)
        self.norm2 = ClipGroupNorm(config.groups, out_channels, **norm)
        self.conv2 = FirstFrameConv(out_channels, out_channels, **conv)
        self.conv_shortcut = None
        if in_channels != out_channels:
            self.conv_shortcut = FirstFrameConv(in_channels, out_channels, 1, **conv)

    def forward(self, x: Tensor, emb: Tensor, num_frames: int) -> Tensor:
        """``x`` (b*t, c, h, w); ``emb`` (b, 1, d) or (b, t, d), already through SiLU."""
        shift = self.time_emb_proj(emb).expand(-1, num_frames, -1).flatten(0, 1)
        h = self.conv1(self.norm1(x, num_frames), num_frames) + shift[:, :, None, None]
        h = self.conv2(self.norm2(h, num_frames), num_frames)
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x, num_frames))


class Downsample(nn.Module):
    """Half the height and width by a convolution of stride 2."""

    def __init__(self, channels: int, config: LayerConfig) -> None:
        super().__init__()
        self.conv = FirstFrameConv(channels, channels, stride=2, first_frame=config.first_frame_conv)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        return self.conv(x, num_frames)


class Upsample(nn.Module):
    """Nearest neighbours to a given height and width, then a convolution."""

    def __init__(self, channels: int, config: LayerConfig) -> None:
        super().__init__()
        self.conv = FirstFrameConv(channels, channels, first_frame=config.first_frame_conv)

    def forward(self, x: Tensor, size: tuple[int, int], num_frames: int) -> Tensor:
        return self.conv(F.interpolate(x, size=size, mode="nearest"), num_frames)
