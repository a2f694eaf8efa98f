"""How a picture moves: smooth, flickering, jumping and still pictures in their order; LPIPS against torchmetrics."""

from pathlib import Path

import numpy as np
import pytest
import torch

from asva_metrics import load_lpips_heads, load_lpips_trunk, steadiness
from asva_weights import ConversionError


def slide(steps, levels=0, seed=0):
    """A textured square that moves over a textured ground by so many pixels a frame, under noise."""
    generator = np.random.default_rng(seed)
    ground, square = generator.integers(60, 120, (128, 128)), generator.integers(150, 250, (40, 40))
    frames, column = [], 10.0
    for step in steps:
        picture = ground.astype(np.float64).copy()
        column += step
        picture[44:84, round(column) : round(column) + 40] = square
        frames.append(
            np.repeat(np.clip(picture + levels * generator.normal(size=picture.shape), 0, 255)[..., None], 3, -1)
        )
    return np.stack(frames).astype(np.uint8)


def test_each_figure_sees_its_own_fault():
    even, jumping = steadiness(slide([2] * 12)), steadiness(slide([0, 5] * 6))
    noisy, still = steadiness(slide([2] * 12, levels=6)), steadiness(slide([0] * 12))
    assert noisy.flicker > 4 > even.flicker
    assert jumping.jerk > 2 * even.jerk
    assert noisy.warp_error > even.warp_error + 2
    assert still.frozen and np.isnan(still.jerk) and not even.frozen
    with pytest.raises(ValueError, match="at least 3 frames"):
        steadiness(slide([1, 1]))


@torch.no_grad()
def test_lpips_equals_torchmetrics(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    import torchmetrics.functional.image.lpips as theirs

    bundled = Path(theirs.__file__).parent / "lpips_models" / "alex.pth"  # those of the package lpips
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        alexnet = torchvision.models.alexnet(weights=None).eval()
        first, second = torch.rand(2, 3, 96, 96), torch.rand(2, 3, 96, 96)
    torch.save(alexnet.state_dict(), tmp_path / "alexnet.pth")
    trunk, heads = load_lpips_trunk(tmp_path / "alexnet.pth"), load_lpips_heads(bundled)
    network = theirs._LPIPS(pretrained=True, net="alex", pnet_rand=True).eval()
    for part, slices in zip(("slice1", "slice2", "slice3", "slice4", "slice5"), range(5), strict=True):
        for name, layer in getattr(network.net, part).named_children():
            if hasattr(layer, "weight"):
                layer.load_state_dict(alexnet.features[int(name)].state_dict())
        assert slices < 5
    expected = network(first, second, normalize=True).flatten()
    torch.testing.assert_close(heads(trunk(first), trunk(second)), expected, atol=1e-6, rtol=1e-4)
    assert heads(trunk(first), trunk(first)).abs().max() == 0
    torch.save({"lin0.model.1.weight": torch.zeros(1, 64, 1, 1)}, tmp_path / "few.pth")
    with pytest.raises(ConversionError, match="missing"):
        load_lpips_heads(tmp_path / "few.pth")
