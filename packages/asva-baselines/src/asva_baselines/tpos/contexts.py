"""What the network is told of each frame: words out of a sound, and what lies between two moments' words."""

from __future__ import annotations

import torch
from torch import Tensor

STRAIGHT = 0.9995  # from this likeness on the way between two contexts is a line


def sound_contexts(words: Tensor, empty: Tensor) -> Tensor:
    """Contexts (b, k, n, d) that hold a sound's words (b, k, n - 1, d) behind the first one of no prompt (1, n, d)."""
    first = empty[:, None, :1].expand(*words.shape[:2], -1, -1)
    return torch.cat([first.to(words), words], dim=2)


def between_moments(contexts: Tensor, count: int) -> Tensor:
    """Contexts (b, count, n, d) at equal distances from the first of (b, k, n, d) to the last, along arcs.

    As the original's ``--interpolate K`` where count is ``(k - 1) (K - 1) + 1``.
    """
    places = torch.linspace(0, contexts.shape[1] - 1, count, dtype=torch.float64).tolist()
    found = []
    for place in places:
        before = min(int(place), contexts.shape[1] - 2) if contexts.shape[1] > 1 else 0
        after = min(before + 1, contexts.shape[1] - 1)
        found.append(
            torch.stack(
                [_arc(a, b, place - before) for a, b in zip(contexts[:, before], contexts[:, after], strict=True)]
            )
        )
    return torch.stack(found, dim=1)


def _arc(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Between two tensors on the arc of their directions; lengths are not touched, as in the original."""
    alike = (start / start.norm() * (end / end.norm())).sum()
    angle = alike.arccos()
    arc = (((1 - share) * angle).sin() * start + (share * angle).sin() * end) / angle.sin()
    return torch.where(alike.abs() > STRAIGHT, start + share * (end - start), arc)
