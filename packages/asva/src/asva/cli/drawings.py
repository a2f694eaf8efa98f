"""The plot and the strip of a video, of keyframes where there are some, else of the motion and the frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asva.cli.curves import measured_curve
from asva.outputs import keyframe_strip, plot_keyframes

MOST_FRAMES = 12  # on a strip


def draw_plot(path: Path, result: Any, sound: str) -> None:
    """The sound and the motion heard in it, with the keyframes; without a curve, the motion seen in the video.

    Args:
        path: The picture to write.
        result: What a pipeline answered.
        sound: Name of the sound, for the title.
    """
    curve, indices = getattr(result, "motion_curve", None), getattr(result, "keyframe_indices", [])
    title = f"{sound}: motion heard and keyframes chosen"
    if curve is None:
        curve, title = measured_curve(result.frames), f"{sound}, and the motion measured in the video"
    plot_keyframes(
        path,
        curve,
        indices,
        fps=result.fps,
        waveform=result.waveform,
        sample_rate=result.sample_rate,
        title=title,
    )


def draw_strip(path: Path, result: Any) -> None:
    """The keyframes side by side; without any, at most twelve frames at equal distances.

    Args:
        path: The picture to write.
        result: What a pipeline answered.
    """
    from PIL import Image

    indices = getattr(result, "keyframe_indices", None)
    if indices is None:
        count = min(len(result.frames), MOST_FRAMES)
        indices = np.arange(count) * len(result.frames) // count
    strip = keyframe_strip(result.frames[indices], indices, fps=result.fps)
    Image.fromarray(strip).save(path)
