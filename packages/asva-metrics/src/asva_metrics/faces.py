"""Face tracks for Sync-C and Sync-D: boxes, given or found, to crops as SyncNet was shown (syncnet_python)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

CROP_SCALE = 0.4
"""How far a crop reaches beyond the face, as a share of the box; another value changes the scores."""
PAD_VALUE = 110
SMOOTHING = 13
"""Frames of the median filter over a box."""
SIDE = 224
CONFIDENCE = 0.8
"""Below this a detection is none."""
EDGES = {"held": "nearest", "official": "constant"}


def face_crops(
    frames: Any,
    boxes: Any,
    *,
    crop_scale: float = CROP_SCALE,
    smoothing: int = SMOOTHING,
    edges: Literal["held", "official"] = "held",
) -> np.ndarray:
    """Crops of one face, steadied in time, for `asva_metrics.SyncNet.embed_track`.

    The box's half side s and centre are median filtered over time; the crop is ``2 s (1 + crop_scale)`` wide, its
    centre ``s crop_scale`` below the face's, beyond the picture grey 110, as published.

    Args:
        frames: (t, h, w, 3) uint8, RGB, at 25 fps.
        boxes: (t, 4) left, top, right, bottom in pixels; nan where no face was found, then interpolated.
        crop_scale: See above.
        smoothing: Frames of the median filter, odd.
        edges: What the filter sees beyond the ends: "held" is the last box; "official" zeros, which shrinks and moves
            the crops of the first and last frames.

    Returns:
        (t, 3, 224, 224) uint8, RGB.

    Raises:
        ValueError: If the shapes or `edges` are others, there is no face in any frame or a box is empty.
    """
    from scipy.ndimage import median_filter

    if edges not in EDGES:
        raise ValueError(f"`edges` must be one of {', '.join(EDGES)}, got {edges!r}.")
    pictures, track = np.asarray(frames), _whole(np.asarray(boxes, dtype=np.float64))
    if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8 or len(pictures) != len(track):
        raise ValueError(
            f"`frames` must have shape ({len(track)}, h, w, 3) of uint8, one per box, "
            f"got {pictures.shape} of {pictures.dtype}."
        )
    half = np.maximum(track[:, 2] - track[:, 0], track[:, 3] - track[:, 1]) / 2
    across, down = (track[:, 0] + track[:, 2]) / 2, (track[:, 1] + track[:, 3]) / 2
    half, across, down = (median_filter(values, smoothing, mode=EDGES[edges]) for values in (half, across, down))
    return np.stack([_crop(*one, crop_scale) for one in zip(pictures, half, across, down, strict=True)])


def find_face_boxes(
    frames: Any, detector: str | os.PathLike[str] | Callable[[np.ndarray], Any], *, min_confidence: float = CONFIDENCE
) -> np.ndarray:
    """The largest face of every frame.

    Args:
        frames: (t, h, w, 3) uint8, RGB.
        detector: Path of OpenCV's YuNet (``face_detection_yunet_2023mar.onnx``), or any callable from a frame to
            (n, 5) left, top, right, bottom, confidence.
        min_confidence: Below this a detection is none.

    Returns:
        (t, 4) left, top, right, bottom in pixels; nan where there is none.

    Raises:
        ValueError: If the file does not exist.
    """
    find = face_detector(detector)
    boxes = np.full((len(frames), 4), np.nan)
    for place, frame in enumerate(frames):
        found = np.asarray(find(np.asarray(frame)), dtype=np.float64).reshape(-1, 5)
        found = found[found[:, 4] >= min_confidence, :4]
        if len(found):
            boxes[place] = found[((found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])).argmax()]
    return boxes


def _whole(boxes: np.ndarray) -> np.ndarray:
    """Boxes without gaps: interpolated between neighbours, held at the ends."""
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"`boxes` must have shape (t, 4), got {boxes.shape}.")
    seen = np.isfinite(boxes).all(axis=1)
    if not seen.any():
        raise ValueError("`boxes` must hold a face in at least one frame, got none: without a face there is no score.")
    if (boxes[seen, 2:] <= boxes[seen, :2]).any():
        raise ValueError("`boxes` must have right beyond left and bottom beyond top, got an empty box.")
    times = np.arange(len(boxes))
    return np.stack([np.interp(times, times[seen], column[seen]) for column in boxes.T], axis=1)


def _crop(frame: np.ndarray, half: float, across: float, down: float, scale: float) -> np.ndarray:
    border = int(half * (1 + 2 * scale))
    padded = cv2.copyMakeBorder(frame, *[border] * 4, cv2.BORDER_CONSTANT, value=(PAD_VALUE,) * 3)
    top, bottom = down + border - half, down + border + half * (1 + 2 * scale)
    left, right = across + border - half * (1 + scale), across + border + half * (1 + scale)
    h, w = padded.shape[:2]
    rows, columns = slice(max(0, int(top)), min(h, int(bottom))), slice(max(0, int(left)), min(w, int(right)))
    return cv2.resize(padded[rows, columns], (SIDE, SIDE)).transpose(2, 0, 1)


def face_detector(detector: str | os.PathLike[str] | Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """A detector as `find_face_boxes` takes it, from a frame to (n, 5) boxes and confidences."""
    if callable(detector):
        return detector
    path = Path(detector)
    if not path.is_file():
        raise ValueError(f"`detector` must be a face detection model, got {path}, which does not exist.")
    network = cv2.FaceDetectorYN.create(str(path), "", (320, 320))

    def find(frame: np.ndarray) -> np.ndarray:
        network.setInputSize(frame.shape[1::-1])
        found = network.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return np.zeros((0, 5))
        x, y, w, h = found[:, :4].T
        return np.stack([x, y, x + w, y + h, found[:, -1]], axis=1)

    return find
