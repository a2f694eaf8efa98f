"""On-screen text: how much of the picture its boxes cover, by RapidOCR's detector (an optional extra)."""

from __future__ import annotations

import cv2
import numpy as np

from asva_curate.curation.excerpts import Excerpt
from asva_data import MediaError

LETTERS = 3  # read in a box that counts; a lone stroke is read into many a texture
LONG_SIDE = 480  # pixels that the detector sees; text that overwhelms a picture is large


class TextCover:
    """A score: the share of the picture that lies in boxes of text, in the middle frame of each excerpt.

    A box counts if letters can be read in it: in small pictures without text the detector alone sees large boxes.

    Args:
        stride: Seconds from one excerpt that is looked at to the next.

    Raises:
        MediaError: If rapidocr is not installed.
    """

    def __init__(self, stride: float = 1.0) -> None:
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise MediaError("`text` must have a detector, got none: pip install 'asva-data[text]'.") from error
        self.stride = stride
        quiet = {"Global.log_level": "critical", "Global.use_cls": False}
        # One thread: files are measured in parallel, and threads that wait would spin.
        threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
        size = {"Det.limit_side_len": LONG_SIDE, "Det.limit_type": "max"}
        self._detector = RapidOCR(params=quiet | threads | size)

    def __call__(self, excerpt: Excerpt) -> float:
        """Share of the picture that is covered, 0 to 1."""
        return self.cover(excerpt.frames[len(excerpt.frames) // 2])

    def cover(self, frame: np.ndarray) -> float:
        """Share of one (h, w, 3) uint8 RGB picture that is covered."""
        found = self._detector(frame[..., ::-1], use_det=True, use_cls=False, use_rec=True)
        mask = np.zeros(frame.shape[:2], np.uint8)
        for box, text in zip(*(() if part is None else part for part in (found.boxes, found.txts)), strict=True):
            if sum(letter.isalnum() for letter in text) >= LETTERS:
                cv2.fillPoly(mask, [np.round(box).astype(np.int32)], 1)
        return float(mask.mean())
