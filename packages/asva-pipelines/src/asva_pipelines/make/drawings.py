"""The plot and the strip of a video, of keyframes where there are some, else of the motion and the frames."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asva_pipelines.curves import relative_motion
from asva_pipelines.make.recorder import Watched

_STRIP_HEIGHT = 128


def draw_plot(path: Path, watched: Watched, sound: str) -> None:
    """The sound and the motion heard in it, with the keyframes; without a curve, the motion seen in the video.

    Args:
        path: The picture to write.
        watched: The video.
        sound: Name of the sound, for the title.
    """
    made = watched.made
    if made.curve is not None:
        curve, fps, title = made.curve, float(made.request.native_fps), f"{sound}: motion heard and keyframes chosen"
    else:
        motion = np.asarray(watched.motion)
        curve = relative_motion(motion) if len(motion) else np.zeros(watched.count)
        fps, title = float(made.plan.fps), f"{sound}, and the motion measured in the video"
    times = np.empty(0) if made.keyframes is None else made.keyframes
    plot_keyframes(
        path,
        curve,
        np.minimum(np.round(np.asarray(times) * fps).astype(int), len(curve) - 1),
        fps=fps,
        waveform=made.sound.waveform,
        sample_rate=made.sound.sample_rate,
        title=title,
    )


def draw_strip(path: Path, watched: Watched) -> None:
    """The keyframes side by side; without any, at most twelve frames at equal distances.

    Args:
        path: The picture to write.
        watched: The video.
    """
    from PIL import Image

    strip = keyframe_strip(np.stack(watched.shown), watched.strip, fps=float(watched.made.plan.fps))
    Image.fromarray(strip).save(path)


def picture_file(picture: np.ndarray) -> bytes:
    """A picture (h, w, 3) uint8 as the bytes of a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def plot_keyframes(
    path: Path,
    motion_curve: Sequence[float] | np.ndarray,
    keyframe_indices: Sequence[int] | np.ndarray,
    *,
    fps: float,
    waveform: np.ndarray | None = None,
    sample_rate: int | None = None,
    title: str = "",
) -> None:
    """Draw the motion curve with the chosen frames over the waveform (KeyVID, figure 2).

    Args:
        path: The picture to write; its ending chooses the format.
        motion_curve: (t,) motion score of every frame.
        keyframe_indices: (k,) chosen frames, 0 to t - 1; none draws the curve alone.
        fps: Frames per second of the curve.
        waveform: (c, s) or (s,) samples in [-1, 1], drawn behind the curve.
        sample_rate: Hertz of the waveform.
        title: Words above the drawing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curve = np.asarray(motion_curve, dtype=np.float64)
    indices = np.asarray(keyframe_indices, dtype=np.int64)
    times = np.arange(len(curve)) / fps
    figure = Figure(figsize=(10, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if waveform is not None and sample_rate:
        _draw_waveform(axes, np.atleast_2d(waveform).mean(axis=0), sample_rate)
    front = axes.twinx()
    front.vlines(indices / fps, 0, 1, transform=front.get_xaxis_transform(), color="#c2410c", alpha=0.35, lw=1)
    front.plot(times, curve, color="#1d4ed8", lw=1.8, label="motion")
    if len(indices):
        front.plot(indices / fps, curve[indices], "o", color="#c2410c", ms=6, label="keyframes")
    for index in indices:
        front.annotate(str(index), (index / fps, curve[index]), (0, 7), textcoords="offset points", ha="center", size=8)
    low, high = float(curve.min()), float(curve.max())
    margin = 0.2 * max(high - low, 1e-3)
    front.set_ylim(low - margin, high + margin)
    front.set_ylabel("motion score")
    front.legend(loc="upper right", frameon=False, ncols=2, fontsize=8)
    axes.set_xlim(0, len(curve) / fps)
    axes.set_xlabel("seconds")
    axes.set_title(title.replace("$", r"\$"), fontsize=10, loc="left")
    with warnings.catch_warnings():  # a file name may hold letters that the font lacks
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(path)


def _draw_waveform(axes: Any, samples: np.ndarray, sample_rate: int) -> None:
    """Draw loud and quiet as a band: one pair of extremes per drawn column instead of every sample."""
    columns = np.array_split(samples, min(1000, max(len(samples), 1)))
    high = np.array([column.max(initial=0.0) for column in columns])
    low = np.array([column.min(initial=0.0) for column in columns])
    times = np.linspace(0, len(samples) / sample_rate, len(columns))
    axes.fill_between(times, low, high, color="#94a3b8", alpha=0.55, lw=0)
    peak = max(float(np.abs(samples).max(initial=0.0)), 1e-3)
    axes.set_ylim(-1.15 * peak, 1.15 * peak)
    axes.set_ylabel("sound")


def keyframe_strip(frames: np.ndarray, keyframe_indices: Sequence[int] | np.ndarray, *, fps: float) -> np.ndarray:
    """Lay the keyframes side by side, each with its frame number and time.

    Args:
        frames: (k, h, w, 3) uint8 keyframes in order.
        keyframe_indices: (k,) their places in the video.
        fps: Frames per second of the video.

    Returns:
        (H, W, 3) uint8 picture.

    Raises:
        ValueError: If there are not as many frames as indices.
    """
    from PIL import Image, ImageDraw, ImageFont

    if len(frames) != len(keyframe_indices):
        raise ValueError(f"`frames` must be as many as the indices ({len(keyframe_indices)}), got {len(frames)}.")
    height, width = frames.shape[1:3]
    width = max(round(width * _STRIP_HEIGHT / height), 1)
    strip = Image.new("RGB", (len(frames) * (width + 4) - 4, _STRIP_HEIGHT + 18), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(12)
    enlarge = Image.Resampling.NEAREST if height < _STRIP_HEIGHT else Image.Resampling.LANCZOS
    for place, (frame, index) in enumerate(zip(frames, keyframe_indices, strict=True)):
        left = place * (width + 4)
        strip.paste(Image.fromarray(frame).resize((width, _STRIP_HEIGHT), enlarge), (left, 0))
        label = f"{int(index)}  {int(index) / fps:.2f} s"
        draw.text((left + width / 2, _STRIP_HEIGHT + 3), label, fill="black", font=font, anchor="mt")
    return np.asarray(strip)
