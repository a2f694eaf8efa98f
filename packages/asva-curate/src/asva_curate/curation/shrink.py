"""Decoded frames brought to a small upright picture without passing through their full size in RGB."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from asva_data.decode_pyav import display_matrix, turn


class Shrinker:
    """Makes upright pictures with square pixels whose short side is at most `side`; all of one file have one size."""

    def __init__(self, side: int, pixel_aspect: float, layout: str) -> None:
        self.side, self.pixel_aspect, self.layout = side, pixel_aspect, layout
        self._reformatter = VideoReformatter()
        self._stored: tuple[int, int] | None = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """(h, w, 3) uint8 in the order of channels that `layout` names."""
        if self._stored is None:
            self._stored = self._size(frame)
        width, height = self._stored
        # threads=1: the default starts a thread pool that hangs for ever in a forked child.
        small = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=self.layout,
            interpolation=Interpolation.BILINEAR,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        return turn(small.to_ndarray(), display_matrix(frame))

    def _size(self, frame: av.VideoFrame) -> tuple[int, int]:
        width, height = frame.width * self.pixel_aspect, frame.height
        scale = min(1.0, self.side / min(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))


def upright_size(frame: av.VideoFrame, pixel_aspect: float) -> tuple[int, int]:
    """Height and width of a frame as it is seen."""
    height, width = frame.height, max(1, round(frame.width * pixel_aspect))
    a, b, c, d = display_matrix(frame)
    return (width, height) if abs(a) + abs(d) < abs(b) + abs(c) else (height, width)
