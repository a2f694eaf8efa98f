"""From the photograph as it was given to the size of the video: the picture, and the regions in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asva_data import read_image, resize_crop
from asva_pipelines.make.read_inputs import naming
from asva_pipelines.warp.parts import Part
from asva_pipelines.warp.region import find_region

LONGEST, MOST = 1280, 4096  # pixels of the long side: without a size, and at all
FULL = 0.98  # of the picture; beyond it nothing is left that could stand still


@dataclass(frozen=True)
class Framing:
    """How a photograph becomes frames: its largest middle part of their aspect, resized.

    Attributes:
        source: Height and width of the photograph.
        size: Height and width of the frames, even.
    """

    source: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def of(cls, source: tuple[int, int], size: tuple[int, int] | None) -> Framing:
        """The photograph's own size, its long side at most 1280, where none is given.

        Raises:
            ValueError: If the size is odd or beyond 4096.
        """
        if size is None:
            scale = min(LONGEST / max(source), 1.0)
            size = (max(int(source[0] * scale) // 2, 1) * 2, max(int(source[1] * scale) // 2, 1) * 2)
        if max(size) > MOST or min(size) < 2 or size[0] % 2 or size[1] % 2:
            raise ValueError(f"`--size` must be even numbers of at most {MOST} pixels, got {size[0]}x{size[1]}.")
        return cls(source, size)

    @property
    def _scale(self) -> float:
        return min(self.source[0] / self.size[0], self.source[1] / self.size[1])

    def crop(self, picture: np.ndarray) -> np.ndarray:
        """The photograph, or a mask of it, (h, w, 3) in the size of the frames."""
        top, left = ((whole - part) // 2 for whole, part in zip(self.source, self.size, strict=True))
        if self._scale == 1:  # an odd row or column is left out, and nothing blurred
            return np.ascontiguousarray(picture[top : top + self.size[0], left : left + self.size[1]])
        return resize_crop(picture, self.size)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the photograph lies in the frames."""
        places = zip((x, y), self.source[::-1], self.size[::-1], strict=True)
        across, down = ((place - (whole - part * self._scale) / 2) / self._scale for place, whole, part in places)
        return across, down

    def place(self, picture: np.ndarray, part: Part) -> tuple[np.ndarray, Part]:
        """The region of a part in the frames, and the part with its pivot there.

        Args:
            picture: (h, w, 3) uint8 of the frames' size.
            part: In pixels of the photograph.

        Returns:
            (h, w) bool, and the part.

        Raises:
            ValueError: If the region or the pivot does not fit the photograph.
        """
        mask = self._mask(picture, part.region)
        share = mask.mean()
        if not 0 < share <= FULL:
            what = "is empty there" if share == 0 else "fills it"
            raise ValueError(f"`region` must hold a part of the picture, not all or none of it, got one that {what}.")
        if part.pivot is None:
            return mask, part
        x, y = part.pivot
        if not (0 <= x <= self.source[1] and 0 <= y <= self.source[0]):
            raise ValueError(f"`region` must have its pivot in the picture, {self._said}, got {x:g}:{y:g}.")
        return mask, replace(part, pivot=self.point(x, y))

    def _mask(self, picture: np.ndarray, region: Path | tuple[int, int, int, int] | None) -> np.ndarray:
        if region is None:
            return find_region(picture)
        if isinstance(region, Path):
            with naming("region"):
                given = read_image(region)
            if given.shape[:2] != self.source:
                raise ValueError(
                    f"`region` must be a mask as large as the picture, {self._said}, "
                    f"got {given.shape[1]}x{given.shape[0]}."
                )
            return self.crop(given).max(axis=-1) > 127
        left, top, width, height = region
        if (
            min(left, top) < 0
            or min(width, height) < 1
            or left + width > self.source[1]
            or top + height > self.source[0]
        ):
            raise ValueError(f"`region` must be a box in the picture, {self._said}, got {','.join(map(str, region))}.")
        (x, y), (right, bottom) = self.point(left, top), self.point(left + width, top + height)
        mask = np.zeros(self.size, bool)
        mask[max(round(y), 0) : max(round(bottom), 0), max(round(x), 0) : max(round(right), 0)] = True
        return mask

    @property
    def _said(self) -> str:
        return f"{self.source[1]}x{self.source[0]} pixels"
