"""What is measured on the pictures of a file: change, motion, cuts, light, and a hash of how they look."""

from __future__ import annotations

import cv2
import numpy as np

from asva_curate.curation.curve import Curve

HASH_EVERY = 0.5  # seconds
PLAIN = 4.0  # grey levels of deviation below which a picture has nothing to recognise it by


class PictureMeter:
    """Takes small pictures one by one and keeps a few numbers of each.

    Curves: ``pixel`` mean absolute difference of neighbouring pictures (0 to 255); ``content`` the same of hue (0 to
    180), saturation and value; ``flow`` mean length of the optical flow (DIS) in heights of the picture per second;
    ``light`` mean luma (0 to 255) and ``contrast`` its standard deviation.

    ``content`` is the score of PySceneDetect's ContentDetector, which keeps it to itself unless it also draws edges, at
    the price of all the rest together.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._points: dict[str, list[tuple[float, float, float]]] = {}
        self._previous: tuple[float, np.ndarray, np.ndarray, np.ndarray] | None = None
        self._hashes: list[tuple[float, int]] = []

    def __call__(self, time: float, picture: np.ndarray) -> None:
        """Measure a picture.

        Args:
            time: Seconds at which it appears.
            picture: (h, w, 3) uint8 BGR, the same size each time.
        """
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        mean, deviation = (float(number[0, 0]) for number in cv2.meanStdDev(grey))
        self._add("light", time, time, mean)
        self._add("contrast", time, time, deviation)
        colours = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
        if self._previous is not None:
            before, other, other_grey, other_colours = self._previous
            self._add("pixel", before, time, _distance(picture, other))
            self._add("content", before, time, _distance(colours, other_colours))
            self._add("flow", before, time, self._speed(other_grey, grey) / (time - before))
        if not self._hashes or time >= self._hashes[-1][0] + HASH_EVERY:
            self._hashes.append((time, perceptual_hash(grey) if deviation >= PLAIN else 0))
        self._previous = time, picture, grey, colours

    def curves(self) -> dict[str, Curve]:
        """The curves so far."""
        return {name: Curve.of(points) for name, points in self._points.items()}

    def hashes(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (k,) and hashes (k,) uint64 of the pictures that were hashed; 0 for a plain one."""
        times, hashes = zip(*self._hashes, strict=True) if self._hashes else ((), ())
        return np.array(times, np.float64), np.array(hashes, np.uint64)

    def _add(self, name: str, begin: float, end: float, value: float) -> None:
        self._points.setdefault(name, []).append((begin, end, value))

    def _speed(self, first: np.ndarray, second: np.ndarray) -> float:
        squares = np.square(self._flow.calc(first, second, None))
        # Not cv2.magnitude, whose last bit depends on where in the memory the numbers lie.
        return float(np.sqrt(squares[..., 0] + squares[..., 1]).mean()) / len(first)


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return cv2.norm(first, second, cv2.NORM_L1) / first.size


def perceptual_hash(grey: np.ndarray) -> int:
    """64 bits of the coarse look of a picture: which of its 8 x 8 lowest frequencies exceed their median (pHash).

    Args:
        grey: (h, w) uint8.

    Returns:
        An integer below 2 ** 64; near pictures differ in few bits.
    """
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    bits = low > np.sort(low[1:])[31]  # the median without the mean brightness
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
