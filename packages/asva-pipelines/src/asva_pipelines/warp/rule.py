"""Motion by rule: what a sound says of each region, and the frames in which the regions move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from asva_audio import Track
from asva_keyframe import onset_curve
from asva_keyframe.shape import shape_curve
from asva_pipelines.warp.framing import Framing
from asva_pipelines.warp.moving import Moving
from asva_pipelines.warp.parts import Part

ATTACK, RELEASE = 0.0, 0.2  # seconds


def motion_of(
    track: Track, parts: Sequence[Part], num_frames: int, fps: float | Fraction, shape: dict[str, float]
) -> np.ndarray:
    """(n, t) motion of each part, about [0, 1]: the onsets of its band, with attack and release."""
    shape = {"attack": ATTACK, "release": RELEASE} | shape
    heard = {band: onset_curve(track, num_frames, fps, band=band) for band in {part.band for part in parts}}
    return np.stack([shape_curve(heard[part.band], float(fps), **shape) for part in parts])


def warped(
    picture: np.ndarray, framing: Framing, parts: Sequence[Part], curves: np.ndarray, seed: int = 0
) -> Iterator[np.ndarray]:
    """Frames (h, w, 3) uint8, one at a time, of a picture in the size of the frames.

    Args:
        picture: (h, w, 3) uint8.
        framing: Of the photograph that it was.
        parts: What moves, in pixels of the photograph.
        curves: (n, t) motion of each.
        seed: Of what shakes.
    """
    moving = [Moving(picture, *framing.place(picture, part), seed) for part in parts]
    for number, motion in enumerate(curves.T):
        frame = picture.copy()
        for one, amount in zip(moving, motion, strict=True):
            one.draw(frame, float(min(amount, 1.0)), number)
        yield frame
