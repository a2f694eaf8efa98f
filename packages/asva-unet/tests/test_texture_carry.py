"""The head that carries texture: shapes, its start, where its pixels come from, and that it learns."""

import pytest
import torch
from torch.nn import functional as F

from asva_unet import TextureCarry
from asva_unet.losses import TextureCarryLoss
from asva_unet.pixels import decode_latents, to_frames


def moved(draw, num):
    """Pictures (n, 3, 16, 16) of noise, and the same blurred and moved by 4 pixels to the right."""
    picture = F.interpolate(torch.rand(num, 3, 8, 8, generator=draw), scale_factor=2) * 2 - 1
    true = picture.roll(4, dims=-1)
    return picture, true, F.avg_pool2d(F.pad(true, (1, 1, 1, 1), mode="replicate"), 3, 1)


def test_it_begins_near_what_was_decoded_in_any_size():
    draw = torch.Generator().manual_seed(0)
    carry = TextureCarry(8, 8).eval()
    for size in ((16, 16), (24, 40)):
        pixels, picture = torch.rand(2, 3, 3, *size, generator=draw), torch.rand(2, 3, *size, generator=draw)
        with torch.no_grad():
            made = carry(pixels, picture)
        assert made.shape == pixels.shape and 0 < (made - pixels).abs().max() < 0.1
        torch.testing.assert_close(carry(pixels[:, :1], picture), made[:, :1])  # frames do not see each other
    with pytest.raises(ValueError, match=r"`picture` must have shape \(2, 3, 24, 40\), with sides that 4 divides"):
        carry(pixels, picture[..., :-1])


def test_pixels_come_from_where_they_are_looked_up():
    """Weights by hand: cells stay where they are, half a cell finer to the right and one row up, and all is carried."""
    carry, draw = TextureCarry(8, 8).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in (carry.to_query.weight, carry.to_query.bias):
            part.zero_()
        carry.nearness.fill_(30.0)
        carry.conv_out.bias[:4], carry.conv_out.bias[4:8], carry.conv_out.bias[8:12] = 0.5, -0.25, 30.0
        picture = torch.rand(1, 3, 16, 24, generator=draw)
        made = carry(torch.zeros(1, 2, 3, 16, 24), picture)
    expected = picture.roll((-2, 1), dims=(-1, -2))[..., 1:, :-2].expand(2, -1, -1, -1)
    torch.testing.assert_close(made[0, ..., 1:, :-2], expected, rtol=1e-4, atol=1e-4)


def test_it_learns_to_sharpen():
    draw = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        loss = TextureCarryLoss(TextureCarry(16, 32))
    optimizer = torch.optim.AdamW(loss.parameters(), 3e-3)
    gains = []
    for _ in range(60):
        picture, true, blurred = moved(draw, 8)
        frames = {"frames": true[:, None], "decoded": blurred[:, None], "picture": picture}
        batch = {name: to_frames(value) for name, value in frames.items()} | {"moving": torch.ones(8, 1, 16, 16).bool()}
        told = loss(batch, draw)
        told["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        gains.append(told["gain"].item())
    assert gains[0] < 0.5 and min(gains[-10:]) > 3, gains[-10:]  # decibels


def test_half_precision_keeps_places_exact():
    draw = torch.Generator().manual_seed(0)
    carry, (picture, _, blurred) = TextureCarry(8, 8).eval(), moved(draw, 2)
    torch.nn.init.constant_(carry.conv_out.bias[8:12], 4.0)
    with torch.no_grad():
        exact = carry(blurred[:, None], picture)
        rough = carry.to(torch.bfloat16)(blurred[:, None], picture)
    assert (exact - rough.float()).abs().mean() < 0.02 < (exact - blurred[:, None]).abs().mean()


def test_decoding_sharpens_in_pieces():
    from diffusers import AutoencoderKL

    vae = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 2,
                        up_block_types=("UpDecoderBlock2D",) * 2).eval()  # fmt: skip
    carry, draw = TextureCarry(8, 8).eval(), torch.Generator().manual_seed(0)
    latents, picture = torch.randn(2, 5, 4, 8, 8, generator=draw), torch.rand(2, 3, 16, 16, generator=draw)
    with torch.no_grad():
        plain = decode_latents(vae, latents, 2)
        whole = decode_latents(vae, latents, 2, carry=carry, picture=picture)
        torch.testing.assert_close(whole, carry(plain, picture), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(decode_latents(vae, latents, 2, carry=carry), plain)
