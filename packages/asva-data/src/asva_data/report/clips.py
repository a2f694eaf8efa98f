"""Clips made small enough to stand in a page itself."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from PIL import Image

from asva_data.decode import iter_frames
from asva_data.preview import write_preview

from .blocks import Clip

SIDE = 192
"""Pixels of the shorter side, at most."""
QUALITIES = (26, 32, 38)
"""Values of x264's crf that are tried until a clip is small enough."""
MOST_BYTES = 400_000
"""Size that is aimed at; the last quality is taken whatever its size."""


def small_clip(
    name: str,
    path: str | os.PathLike,
    start: float = 0.0,
    seconds: float | None = None,
    *,
    sound: tuple[str | os.PathLike, float] | None = None,
) -> Clip:
    """A part of a video as a block; one that cannot be read says so.

    Args:
        name: What it shows.
        path: Any video.
        start: Second at which the part begins.
        seconds: Length, or None for all that follows.
        sound: Another file, and the second in it, that the sound is taken from.
    """
    with tempfile.TemporaryDirectory(prefix="asva-") as folder:
        target = Path(folder) / "clip.mp4"
        try:
            for quality in QUALITIES:
                write_preview(path, target, start=start, seconds=seconds, side=SIDE, crf=quality, sound=sound)
                if target.stat().st_size <= MOST_BYTES:
                    break
            return Clip(name, target.read_bytes(), _poster(target))
        except (ValueError, OSError) as error:
            return Clip(name, problem=str(error))


def _poster(path: Path) -> bytes:
    """The middle picture, which stands for the video until it plays, and on paper."""
    frames = [frame for _, frame in iter_frames(path, fps=4)]
    data = io.BytesIO()
    Image.fromarray(frames[len(frames) // 2]).save(data, "JPEG", quality=60)
    return data.getvalue()
