"""Reading the three-track world off its pixels: how open the mouth is, when the mallet strikes, what light is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .detector import square_frames, strike_times
from .tracks import STRIKE
from .tracks_stage import mallet_box, mouth_box, render_stage, wall_box

Floats = NDArray[np.float64]
ARMED, STRUCK = 0.35, 0.6  # share of the way from rest to contact


@dataclass(frozen=True)
class TrackReading:
    """What a clip shows.

    Attributes:
        opening: (t,) of the mouth, 0 to 1.
        strike: (t,) pose of the mallet, 0 at rest and 1 at contact.
        strike_times: (n,) seconds, rising.
        light: (t, 3) gains of red, green and blue against the first frame's scene in neutral light.
    """

    opening: Floats
    strike: Floats
    strike_times: Floats
    light: Floats


def read_tracks(frames: NDArray[np.uint8], scene: dict[str, Any], *, fps: float = 24) -> TrackReading:
    """Read mouth, strikes and light of a clip from its frames and from what the first frame shows.

    The light is that of the wall. Mouth and mallet are compared with a row of drawings, each frame's light taken out.

    Args:
        frames: (t, h, w, 3) uint8 RGB, square.
        scene: `TrackClip.scene`, or its copy read from JSON.
        fps: Frames per second.

    Raises:
        ValueError: If the frames are not square RGB pictures of bytes, or `fps` is not positive.
    """
    frames = square_frames(frames, fps)
    size = frames.shape[1]
    wall = frames[:, *wall_box(size)].reshape(len(frames), -1, 3).mean(axis=1)
    light = wall / np.array(scene["wall"], dtype=np.float64)
    plain = frames / np.maximum(light, 0.05)[:, None, None]
    openings, poses = np.linspace(0.0, 1.0, 21), np.linspace(-STRIKE.windup, STRIKE.contact, 34)
    opening = _nearest(plain[:, *mouth_box(scene, size)], scene, size, openings, "mouth")
    strike = _nearest(plain[:, *mallet_box(scene, size)], scene, size, poses, "mallet")
    times = strike_times(strike, STRIKE, ARMED, STRUCK, 0.75 * STRIKE.windup, fps)
    return TrackReading(opening, strike, np.array(times), light)


def _nearest(seen: Floats, scene: dict[str, Any], size: int, grid: Floats, part: str) -> Floats:
    """(t,) the value of the grid whose drawing is nearest to each frame, refined by a parabola."""
    rest, neutral = np.zeros_like(grid), np.ones((len(grid), 3))
    if part == "mouth":
        bank = render_stage(scene, size, grid, rest, neutral)[:, *mouth_box(scene, size)]
    else:
        bank = render_stage(scene, size, rest, grid, neutral)[:, *mallet_box(scene, size)]
    rows, flat = bank.reshape(len(grid), -1).astype(np.float64), seen.reshape(len(seen), -1)
    cost = (rows**2).sum(axis=1) - 2.0 * flat @ rows.T
    best = cost.argmin(axis=1)
    inside, every = np.clip(best, 1, len(grid) - 2), np.arange(len(flat))
    low, mid, high = (cost[every, inside + step] for step in (-1, 0, 1))
    bend = low - 2.0 * mid + high
    offset = np.where(bend > 0, 0.5 * (low - high) / np.maximum(bend, 1e-9), 0.0).clip(-1.0, 1.0)
    return np.where(best == inside, grid[inside] + offset * (grid[1] - grid[0]), grid[best])
