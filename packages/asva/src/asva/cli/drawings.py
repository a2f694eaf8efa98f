"""The plot and the strip of a video, of keyframes where there are some, else of the motion and the frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asva.cli.curves import relative_motion
from asva.cli.watching import Watched
from asva.outputs import keyframe_strip, plot_keyframes


def draw_plot(path: Path, watched: Watched, sound: str) -> None:
    """The sound and the motion heard in it, with the keyframes; without a curve, the motion seen in the video.

    Args:
        path: The picture to write.
        watched: The video.
        sound: Name of the sound, for the title.
    """
    if watched.curve is not None:
        curve, fps, title = watched.curve, watched.curve_fps, f"{sound}: motion heard and keyframes chosen"
    else:
        motion = np.asarray(watched.motion)
        curve = relative_motion(motion) if len(motion) else np.zeros(watched.count)
        fps, title = watched.fps, f"{sound}, and the motion measured in the video"
    times = np.empty(0) if watched.keyframes is None else watched.keyframes
    plot_keyframes(
        path,
        curve,
        np.minimum(np.round(np.asarray(times) * fps).astype(int), len(curve) - 1),
        fps=fps,
        waveform=watched.waveform,
        sample_rate=watched.sample_rate,
        title=title,
    )


def draw_strip(path: Path, watched: Watched) -> None:
    """The keyframes side by side; without any, at most twelve frames at equal distances.

    Args:
        path: The picture to write.
        watched: The video.
    """
    from PIL import Image

    strip = keyframe_strip(np.stack(watched.shown), watched.strip, fps=watched.fps)
    Image.fromarray(strip).save(path)
