"""The region of a photograph that it is about: GrabCut, seeded by what is central, stands out and is in focus."""

from __future__ import annotations

import cv2
import numpy as np

WORK = 192  # pixels of the long side; the outline is smoothed anyway
SEED, LIKELY, NEVER = 0.93, 0.70, 0.25  # shares of the picture by how much they speak for themselves
FEWEST, MOST = 0.02, 0.6  # of the picture; what is smaller or larger is no thing in front of something


def find_region(picture: np.ndarray) -> np.ndarray:
    """Where the thing is that a photograph shows; an ellipse in the middle where nothing stands out.

    Args:
        picture: (h, w, 3) uint8.

    Returns:
        (h, w) bool.
    """
    height, width = picture.shape[:2]
    scale = WORK / max(height, width)
    small_size = (max(round(width * scale), 16), max(round(height * scale), 16))
    small = cv2.resize(picture, small_size, interpolation=cv2.INTER_AREA)
    spoken = salience(small)
    found = _cut(small, spoken) if np.ptp(small) > 8 else np.zeros(small.shape[:2], np.uint8)
    found = _one_piece(found, spoken)
    if not FEWEST <= found.mean() <= MOST:
        found = np.zeros_like(found)
        middle = (small_size[0] // 2, small_size[1] // 2)
        cv2.ellipse(found, middle, (small_size[0] // 4, small_size[1] // 4), 0, 0, 360, 1, -1)
    smooth = cv2.GaussianBlur(found.astype(np.float32), (0, 0), 1.5)
    return cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def salience(picture: np.ndarray) -> np.ndarray:
    """(h, w) float32: how central, unlike the colours of the border, and sharp each place of a small picture is."""
    height, width = picture.shape[:2]
    short = min(height, width)
    colours = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 2)
    border = np.ones((height, width), bool)
    border[short // 16 : -(short // 16), short // 16 : -(short // 16)] = False
    cv2.setRNGSeed(0)
    _, _, usual = cv2.kmeans(colours[border], 4, np.empty(0), (3, 20, 1.0), 2, cv2.KMEANS_PP_CENTERS)
    contrast = np.linalg.norm(colours[..., None, :] - usual, axis=-1).min(axis=-1)
    edges = np.abs(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F))
    focus = cv2.GaussianBlur(edges, (0, 0), short / 24)
    across, down = (np.exp(-0.5 * ((np.linspace(0, 1, size) - 0.5) / 0.28) ** 2) for size in (width, height))
    spoken = down[:, None] * across * (0.25 + _relative(contrast) + _relative(focus))
    return cv2.GaussianBlur(spoken.astype(np.float32), (0, 0), short / 32)


def _relative(values: np.ndarray) -> np.ndarray:
    low = values.min()
    return (values - low) / max(float(np.quantile(values, 0.98) - low), 1e-6)


def _cut(picture: np.ndarray, spoken: np.ndarray) -> np.ndarray:
    seeds = np.full(spoken.shape, cv2.GC_PR_BGD, np.uint8)
    seeds[spoken > np.quantile(spoken, LIKELY)] = cv2.GC_PR_FGD
    seeds[spoken > np.quantile(spoken, SEED)] = cv2.GC_FGD
    seeds[spoken < np.quantile(spoken, NEVER)] = cv2.GC_BGD
    edge = max(min(spoken.shape) // 24, 1)
    inner = np.zeros(spoken.shape, bool)
    inner[edge:-edge, edge:-edge] = True
    seeds[~inner] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut draws from OpenCV's own generator
    whole, models = (0, 0, *spoken.shape[::-1]), np.zeros((2, 1, 65))
    cv2.grabCut(picture, seeds, whole, models[0], models[1], 5, cv2.GC_INIT_WITH_MASK)
    return np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _one_piece(found: np.ndarray, spoken: np.ndarray) -> np.ndarray:
    """The piece that most speaks for, its gaps and holes closed."""
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    count, pieces = cv2.connectedComponents(found)
    if count > 2:
        weight = np.bincount(pieces.ravel(), weights=spoken.ravel())
        found = (pieces == 1 + np.argmax(weight[1:])).astype(np.uint8)
    _, around = cv2.connectedComponents(np.pad(1 - found, 1, constant_values=1))
    return (around[1:-1, 1:-1] != around[0, 0]).astype(np.uint8)
