"""Clips made small enough to stand in report.html itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 192
"""Pixels of the shorter side of an embedded video, at most."""
RATE = 30
"""Frames per second, at most."""
SOUND_RATE = 32000
QUALITIES = (26, 32, 38)
"""Values of x264's crf that are tried until a video is small enough."""
MOST_BYTES = 400_000
"""Size of one embedded video."""


def small_video(place: dict[str, Any], heard: dict[str, Any], seconds: float) -> bytes:
    """A clip as a small H.264 and AAC file.

    Args:
        place: File and start of the picture.
        heard: File and start of the sound.
        seconds: Length.

    Raises:
        MediaError: If a file cannot be read, or the video stays too large.
    """
    from asva_data import MediaError, probe, read_video, write_video

    rate = min(RATE, probe(place["file"]).fps)
    start = max(0.0, place["start"])
    clip = read_video(place["file"], start=start, duration=seconds, fps=rate, sound=False)
    frames = np.stack(list(_shrunk(clip.frames)))
    sound = _sound(heard, seconds)
    with tempfile.TemporaryDirectory(prefix="asva-") as folder:
        path = Path(folder) / "clip.mp4"
        for quality in QUALITIES:
            write_video(path, frames, fps=rate, **sound, crf=quality)
            if path.stat().st_size <= MOST_BYTES:
                return path.read_bytes()
    raise MediaError(f"the video stays above {MOST_BYTES // 1000} kB")


def _shrunk(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Frames of at most `SIDE` and even pixels."""
    import cv2

    height, width = frames.shape[1:3]
    factor = min(1.0, SIDE / min(height, width))
    size = tuple(max(2, round(side * factor / 2) * 2) for side in (width, height))
    for frame in frames:
        yield cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if size != (width, height) else frame


def _sound(place: dict[str, Any], seconds: float) -> dict[str, Any]:
    from asva_audio import load_audio
    from asva_data import probe

    if not probe(place["file"]).has_sound:
        return {}
    start = max(0.0, place["start"])
    audio = load_audio(Path(place["file"]), sample_rate=SOUND_RATE, start=start, duration=seconds)
    return {"waveform": audio.waveform.numpy().clip(-1, 1), "sample_rate": SOUND_RATE}
