"""LPIPS of a clip's frames from the true ones, where a folder holds its two files (docs/tasks/evaluate.md)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from asva_metrics.networks.lpips import load_lpips_heads, load_lpips_trunk


def lpips_of(folder: Path | None) -> Callable[[np.ndarray, np.ndarray], float]:
    """The distance of frames (t, h, w, 3) uint8, as a mean over time; without a folder it is nan."""
    if folder is None:
        return lambda shown, true: float("nan")
    trunk, heads = load_lpips_trunk(folder / "alexnet-owt-7be5be79.pth"), load_lpips_heads(folder / "alex.pth")

    @torch.no_grad()
    def distance(shown: np.ndarray, true: np.ndarray) -> float:
        shown_there, true_there = (trunk(torch.as_tensor(x).movedim(-1, 1) / 255) for x in (shown, true))
        return float(heads(shown_there, true_there).mean())

    return distance
