"""A region of a picture that moves: lifted off along its outline, or bent out of its surroundings."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from asva_pipelines.warp.parts import Part

AMOUNT = 0.08  # of the region's size, at full motion and strength 1
TURN = 7.0  # degrees of a swing
SHAKE = 0.03  # of the region's size
REACH = 0.22  # of the region's size: how far bent surroundings go
FEATHER = 0.008  # of the region's size: how soft the edge of what was cut out is
LEAST = 0.05  # pixels; what moves less stands still


class Moving:
    """A region of a picture, ready to be moved.

    Args:
        picture: (h, w, 3) uint8, at rest.
        mask: (h, w) bool, the region.
        part: How it moves; its pivot in pixels of this picture.
        seed: Of ``shake``, which draws a direction for each frame.

    Attributes:
        area: (h, w) bool, outside of which no pixel ever changes.
    """

    def __init__(self, picture: np.ndarray, mask: np.ndarray, part: Part, seed: int = 0) -> None:
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        self.part, self.seed = part, seed
        self.size = math.sqrt(mask.sum())
        self._pivot = part.pivot or (float(columns[0] + columns[-1]) / 2, float(rows[-1]))
        farthest = max(math.dist(self._pivot, corner) for corner in _corners(rows, columns))
        self._most = part.strength * max(AMOUNT * self.size, math.radians(TURN) * farthest)
        reach = self._most if part.edge == "cut" else max(REACH * self.size, 2.5 * self._most)
        box = (_span(rows, reach, len(mask)), _span(columns, reach, mask.shape[1]))
        self._box = box
        self.area = np.zeros(mask.shape, bool)
        inside = np.ascontiguousarray(mask[box], np.uint8)
        if part.edge == "cut":
            self._weight = _feathered(inside, max(FEATHER * self.size, 0.7))
            self._layer, self._ground = picture[box].copy(), _inpainted(picture[box], inside, self.size)
            self.area[box] = cv2.dilate(inside, np.ones((3, 3), np.uint8), iterations=math.ceil(self._most) + 2) > 0
        else:
            distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
            # The edge of the picture stays too, since nobody knows what lies beyond it.
            self._weight = _smooth(1 - distance / reach) * _smooth(_from_border(mask.shape)[box] / (2.5 * self._most))
            self.area[box] = self._weight > 0
        rows_of, columns_of = np.indices(inside.shape, np.float32)
        self._places = columns_of + np.float32(box[1].start), rows_of + np.float32(box[0].start)

    def draw(self, frame: np.ndarray, motion: float, number: int = 0) -> None:
        """Move the region of a frame, in place.

        Args:
            frame: (h, w, 3) uint8; what lies outside ``area`` is not touched.
            motion: 0 at rest, 1 at most.
            number: Of the frame, for ``shake``.
        """
        moved = self._moved(motion, number)
        back = cv2.invertAffineTransform(moved)
        corners = np.array([[x, y, 1.0] for y in self._ends(0) for x in self._ends(1)])
        if np.abs(corners @ back.T - corners[:, :2]).max() < LEAST:
            return
        there = frame[self._box]
        if self.part.edge == "cut":
            self._draw_layer(there, back)
        else:
            self._draw_bent(there, back)

    def _draw_bent(self, there: np.ndarray, back: np.ndarray) -> None:
        across, down = self._places
        shift = back - np.eye(2, 3)
        left, top = self._box[1].start, self._box[0].start
        sources: Any = [
            place + self._weight * (np.float32(a) * across + np.float32(b) * down + np.float32(c)) - np.float32(origin)
            for place, (a, b, c), origin in zip(self._places, shift, (left, top), strict=True)
        ]
        bent = cv2.remap(there, sources[0], sources[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        np.copyto(there, bent, where=(self._weight > 0)[..., None])

    def _draw_layer(self, there: np.ndarray, back: np.ndarray) -> None:
        left, top = self._box[1].start, self._box[0].start
        local = back.copy()
        local[:, 2] += back[:, :2] @ (left, top) - (left, top)
        size, flags = there.shape[1::-1], cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        layer = cv2.warpAffine(self._layer, local, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        weight = cv2.warpAffine(self._weight, local, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        # Only what is uncovered is inpainted, so that soft edges at rest show the photograph and no halo.
        bare = (np.maximum(self._weight - weight, 0) / np.maximum(self._weight, 1e-3))[..., None]
        ground = there + bare * (self._ground - there.astype(np.float32))
        drawn = ground + weight[..., None] * (layer - ground)
        touched = (weight > 0) | (bare[..., 0] > 0)
        np.copyto(there, np.clip(np.rint(drawn), 0, 255).astype(np.uint8), where=touched[..., None])

    def _moved(self, motion: float, number: int) -> np.ndarray:
        """(2, 3) where the region's points go."""
        kind, amount = self.part.kind, motion * self.part.strength
        if kind == "swing":
            return cv2.getRotationMatrix2D(self._pivot, TURN * amount, 1.0)
        if kind == "shake":
            angle = np.random.default_rng([self.seed, number]).uniform(0, 2 * math.pi)
            return _shift(angle, SHAKE * self.size * amount)
        if kind == "move":
            return _shift(math.radians(self.part.angle), AMOUNT * self.size * amount)
        grows = (1 + AMOUNT * amount,) * 2 if kind == "zoom" else (1 + 0.6 * AMOUNT * amount, 1 - AMOUNT * amount)
        return np.column_stack([np.diag(grows), (1 - np.array(grows)) * self._pivot])

    def _ends(self, axis: int) -> tuple[int, int]:
        return self._box[axis].start, self._box[axis].stop


def _shift(angle: float, distance: float) -> np.ndarray:
    return np.array([[1.0, 0.0, math.cos(angle) * distance], [0.0, 1.0, -math.sin(angle) * distance]])


def _corners(rows: np.ndarray, columns: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x in columns[[0, -1]] for y in rows[[0, -1]]]


def _span(places: np.ndarray, reach: float, most: int) -> slice:
    margin = math.ceil(reach) + 2
    return slice(max(int(places[0]) - margin, 0), min(int(places[-1]) + margin + 1, most))


def _smooth(share: np.ndarray) -> np.ndarray:
    """0 to 1 without a kink at either end."""
    share = np.clip(share, 0, 1).astype(np.float32)
    return share * share * (3 - 2 * share)


def _from_border(shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) pixels to the nearest edge of the picture."""
    down, across = (np.minimum(np.arange(size), np.arange(size)[::-1]) for size in shape)
    return np.minimum(down[:, None], across)


def _feathered(mask: np.ndarray, width: float) -> np.ndarray:
    """(h, w) float32, 1 in the region and falling to 0 at its edge, so that nothing behind it is taken along."""
    return np.clip(cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (2 * width), 0, 1).astype(np.float32)


def _inpainted(picture: np.ndarray, mask: np.ndarray, size: float) -> np.ndarray:
    """What may lie behind a region; found at a small size, since little of it is ever seen."""
    scale = min(1.0, 160 / size)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    hidden = cv2.resize(mask, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    hidden = cv2.dilate(hidden, np.ones((5, 5), np.uint8))
    filled = cv2.inpaint(small, hidden, 4, cv2.INPAINT_TELEA)
    return cv2.resize(filled, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)
