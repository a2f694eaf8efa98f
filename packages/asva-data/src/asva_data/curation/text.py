"""On-screen text: how much of the picture its boxes cover, by RapidOCR's detector (an optional extra)."""

from __future__ import annotations

import cv2
import numpy as np

from ..clip import MediaError
from .excerpts import Excerpt


class TextCover:
    """A score: the largest share of the picture that lies in boxes of text, over the first frame of each excerpt.

    Args:
        frames: Frames of an excerpt to look at, evenly spread.

    Raises:
        MediaError: If rapidocr is not installed.
    """

    def __init__(self, frames: int = 1) -> None:
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise MediaError("`text` must have a detector, got none: pip install 'asva-data[text]'.") from error
        self.frames = frames
        self._detector = RapidOCR(params={"Global.log_level": "critical"})

    def __call__(self, excerpt: Excerpt) -> float:
        """Share of the picture that is covered, 0 to 1."""
        places = np.linspace(0, len(excerpt.frames) - 1, self.frames + 2)[1:-1].round().astype(int)
        return max(self.cover(excerpt.frames[place]) for place in places)

    def cover(self, frame: np.ndarray) -> float:
        """Share of one (h, w, 3) uint8 RGB picture that is covered."""
        found = self._detector(frame[..., ::-1], use_det=True, use_cls=False, use_rec=False)
        mask = np.zeros(frame.shape[:2], np.uint8)
        for box in [] if found.boxes is None else found.boxes:
            cv2.fillPoly(mask, [np.round(box).astype(np.int32)], 1)
        return float(mask.mean())
