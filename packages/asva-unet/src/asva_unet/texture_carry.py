"""The first frame's pixels carried to where things have moved: texture is moved, not drawn anew."""

from __future__ import annotations

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8
CELL = 4  # pixels to a side of a cell, in which frame and picture are compared


class _Block(nn.Module):
    """Two convolutions whose sum starts at the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, channels), nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, channels), nn.Conv2d(channels, channels, 3, padding=1)
        _zero(self.conv2)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(hidden))))))


class TextureCarry(ModelMixin, ConfigMixin):
    """A head behind the autoencoder: each decoded frame, sharpened by the pixels of the first one.

    Cells of frame and picture are compared: a cell came from the weighted mean of the places that look like it, refined
    to the pixel. A mask chooses between what is carried from there and what was decoded, and what
    neither has is added. With the weights at their start the decoded frame comes back.

    Args:
        channels: At half of the pixels' resolution; a multiple of 8.
        cell_channels: At the cells'; a multiple of 8.
    """

    _supports_gradient_checkpointing = False

    @register_to_config
    def __init__(self, channels: int = 48, cell_channels: int = 96) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(12, channels, 3, padding=1)
        self.details = _Block(channels)
        self.down = nn.Conv2d(channels, cell_channels, 3, stride=2, padding=1)
        self.cells = nn.Sequential(_Block(cell_channels), _Block(cell_channels))
        self.to_query, self.to_key = (nn.Conv2d(cell_channels, 64, 1) for _ in range(2))
        self.nearness = nn.Parameter(torch.tensor(-1.5))
        self.mix = nn.Conv2d(3 * cell_channels + 2, cell_channels, 1)
        self.between = nn.Sequential(*(_Block(cell_channels) for _ in range(3)))
        self.up = nn.Conv2d(cell_channels, channels, 1)
        self.join = nn.Conv2d(3 * channels, channels, 1)
        self.fine = nn.Sequential(_Block(channels), _Block(channels))
        self.norm_out, self.conv_out = nn.GroupNorm(GROUPS, channels), nn.Conv2d(channels, 24, 3, padding=1)
        _zero(self.conv_out)
        self.conv_out.get_parameter("bias").data[8:12] = -3.0  # of the mask

    def forward(self, pixels: Tensor, picture: Tensor) -> Tensor:
        """Sharpen frames.

        Args:
            pixels: (b, t, 3, h, w) decoded frames, about [-1, 1].
            picture: (b, 3, h, w) the first frame, [-1, 1].

        Returns:
            (b, t, 3, h, w) frames, about [-1, 1].

        Raises:
            ValueError: If the sizes differ or are not multiples of 4.
        """
        b, t, _, height, width = pixels.shape
        if picture.shape != (b, 3, height, width) or height % CELL or width % CELL:
            raise ValueError(
                f"`picture` must have shape {(b, 3, height, width)}, with sides that {CELL} divides, "
                f"got {tuple(picture.shape)}."
            )
        frames = pixels.flatten(0, 1)
        fine, coarse = self._encode(frames)
        fine_picture, coarse_picture = self._encode(picture)
        shift, seen = self._compare(coarse.unflatten(0, (b, t)), coarse_picture)
        hidden = self.between(
            self.mix(torch.cat((coarse, seen.to(coarse), _each(coarse_picture, t), shift.to(coarse)), dim=1))
        )
        hidden = F.interpolate(self.up(hidden), scale_factor=2, mode="bilinear")
        hidden = self.fine(self.join(torch.cat((hidden, fine, _each(fine_picture, t)), dim=1)))
        hidden = self.conv_out(F.silu(self.norm_out(hidden))).float()  # half precision would blur places by a pixel
        finer, mask, added = F.pixel_shuffle(hidden, 2).split((2, 1, 3), dim=1)
        shift = CELL * (F.interpolate(shift, scale_factor=CELL, mode="bilinear") + finer)
        carried = _look_up(_each(picture, t), shift)
        return (frames + mask.sigmoid() * (carried - frames) + added).view_as(pixels)

    def _encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) -> features (n, c, h / 2, w / 2) and (n, d, h / 4, w / 4)."""
        half = self.details(self.conv_in(F.pixel_unshuffle(pixels.to(self.dtype), 2)))
        return half, self.cells(self.down(half))

    def _compare(self, frames: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (b, t, d, h, w) and (b, d, h, w) -> (n, 2, h, w) cells to where each came from, and what is there."""
        b, t, _, h, w = frames.shape
        query = self.to_query(frames.flatten(0, 1)).float().flatten(2).transpose(1, 2).unflatten(0, (b, t))
        key = self.to_key(picture).float().flatten(2)[:, None]
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        places = torch.stack((columns, rows), dim=-1).flatten(0, 1).to(query)
        far = torch.cdist(places, places).square() * F.softplus(self.nearness.float())
        weights = (query @ key * query.shape[-1] ** -0.5 - far).softmax(dim=-1)
        shift = weights @ places - places
        seen = weights @ picture.float().flatten(2).transpose(1, 2)[:, None]
        return tuple(x.flatten(0, 1).transpose(1, 2).unflatten(2, (h, w)) for x in (shift, seen))


@torch.no_grad()
def _zero(layer: nn.Module) -> None:
    """Set weights and biases to zero."""
    for parameter in layer.parameters():
        parameter.zero_()


def _each(picture: Tensor, num_frames: int) -> Tensor:
    """(b, ...) -> (b * t, ...), the same for every frame."""
    return picture.repeat_interleave(num_frames, dim=0)


def _look_up(picture: Tensor, shift: Tensor) -> Tensor:
    """Values of (n, 3, h, w) at ``shift`` (n, 2, h, w) pixels from each place, right and down; its edge beyond."""
    _, _, height, width = picture.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack((columns, rows), dim=-1).to(shift) + 0.5 + shift.movedim(1, -1)
    size = shift.new_tensor((width, height))
    return F.grid_sample(picture.to(shift), 2 * places / size - 1, padding_mode="border", align_corners=False)
