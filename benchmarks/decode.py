"""Decoded frames per CPU second: PyAV against decord on one self-made clip, in turns in one process."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from asva_data import read_video, write_video

ROUNDS = 9


def moving_picture(num_frames: int = 96, height: int = 320, width: int = 512) -> np.ndarray:
    """(t, h, w, 3) uint8: drifting colour waves with a little grain, about as hard to decode as a real recording."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    for number in range(num_frames):
        for channel in range(3):
            wave = np.sin(x / (19 + 5 * channel) + number / 3) + np.cos(y / (23 - 4 * channel) - number / 5)
            frames[number, ..., channel] = 127 + 45 * wave + generator.normal(0, 4, (height, width))
    return frames


def seconds_of(path: Path, backend: str, **cut) -> float:
    """CPU seconds of one read without sound, all threads together."""
    begin = time.process_time()
    read_video(path, backend=backend, sound=False, **cut)
    return time.process_time() - begin


def main() -> None:
    """Alternate the two and print medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "clip.mp4", moving_picture(), fps=24)
        for name, cut, count in (("every frame", {}, 96), ("6 per second", {"fps": 6}, 24)):
            pairs = [(seconds_of(path, "pyav", **cut), seconds_of(path, "decord", **cut)) for _ in range(ROUNDS)]
            pyav, decord = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(theirs / ours for ours, theirs in pairs)
            rates = f"pyav {count / pyav:.0f} frames per CPU second, decord {count / decord:.0f}"
            print(f"{name}, 320x512: {rates}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
