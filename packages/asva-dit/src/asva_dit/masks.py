"""Which latent frames of a clip are given clean while the others are denoised (MTV, section 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Pattern = Callable[[int, torch.Generator], range | list[int]]


def _any(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))


def _random_quarter(t: int, generator: torch.Generator) -> range:
    size = max(t // 4, 1)
    start = _any(t - size + 1, generator)
    return range(start, start + size)


# The released code draws the place of its random quarter from the height of the picture, so that it nearly always gives
# nothing; here it is a place in the clip.
PATTERNS: dict[str, Pattern] = {
    "first": lambda t, g: [0],
    "last": lambda t, g: [t - 1],
    "first_last": lambda t, g: [0, t - 1],
    "overlap": lambda t, g: [0, 1],  # what a window takes over from the one before it
    "random": lambda t, g: [_any(t, g)],
    "interleaved": lambda t, g: range(0, t, 2),
    "quarter_first": lambda t, g: range(max(t // 4, 1)),
    "quarter_last": lambda t, g: range(t - max(t // 4, 1), t),
    "quarter_random": _random_quarter,
}


def draw_masks(shares: Mapping[str, float], clips: int, frames: int, generator: torch.Generator) -> Tensor:
    """(clips, frames) bool, True where a latent frame is given.

    Args:
        shares: Chance of each of `PATTERNS`; what is left to 1 is given nothing.
        clips: Number of clips.
        frames: Latent frames of a clip.
        generator: Draws.

    Raises:
        ValueError: If a name is unknown or the chances sum to more than 1.

    >>> draw_masks({"first": 1.0}, 1, 4, torch.Generator()).tolist()
    [[True, False, False, False]]
    """
    unknown = sorted(set(shares) - set(PATTERNS))
    if unknown or sum(shares.values()) > 1 + 1e-6:
        raise ValueError(
            f"`frame_masks` must be shares of {', '.join(PATTERNS)} that sum to at most 1, got {dict(shares)}."
        )
    masks = torch.zeros(clips, frames, dtype=torch.bool)
    for mask in masks:
        left = float(torch.rand((), generator=generator))
        for name, share in shares.items():
            left -= share
            if left < 0:
                mask[list(PATTERNS[name](frames, generator))] = True
                break
    return masks
