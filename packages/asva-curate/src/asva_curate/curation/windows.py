"""Windows of equal length over the shots of a file, and the clips that neighbours merge into (AVSyncD, section 3)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from asva_data import MediaError

SLACK = 1e-6


@dataclass(frozen=True, kw_only=True)
class WindowRule:
    """How shots are cut into windows.

    Attributes:
        seconds: Length of a window; None for the shot as a whole.
        stride: Seconds from the start of one to the start of the next.
        merge: Whether neighbouring windows that are kept become one clip.
    """

    seconds: float | None = 3.0
    stride: float = 0.5
    merge: bool = True

    def __post_init__(self) -> None:
        if (self.seconds is not None and not self.seconds > 0) or not self.stride > 0:
            raise MediaError(f"`seconds` and `stride` must be above 0, got {self.seconds} and {self.stride}.")


def windows(shot: tuple[float, float], rule: WindowRule) -> list[tuple[float, float]]:
    """The windows of a shot as (start, end) seconds, none if it is shorter than one."""
    start, end = shot
    if rule.seconds is None:
        return [shot] if end > start else []
    count = math.floor((end - start - rule.seconds + SLACK) / rule.stride) + 1
    return [(start + i * rule.stride, start + i * rule.stride + rule.seconds) for i in range(max(0, count))]


def merge(kept: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join windows that touch or overlap; of one shot at a time, or a clip would reach over a cut."""
    clips: list[tuple[float, float]] = []
    for start, end in sorted(kept):
        if clips and start <= clips[-1][1] + SLACK:
            clips[-1] = (clips[-1][0], max(end, clips[-1][1]))
        else:
            clips.append((start, end))
    return clips
