"""What stands beside a video: its record (JSON), the curve of its motion (plot), its keyframes (strip)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "file_digest",
    "keyframe_strip",
    "package_versions",
    "picture_file",
    "plot_keyframes",
    "staged",
    "write_json",
]

_PACKAGES = (
    "asva-kit asva-audio asva-data asva-interp asva-keyframe asva-metrics asva-unet "
    "accelerate av diffusers huggingface-hub matplotlib numpy opencv-python-headless pillow safetensors "
    "tokenizers torch torchaudio torchvision transformers"
).split()
_STRIP_HEIGHT = 128
# A list of numbers that was broken into lines; a newline never stands inside a JSON string.
_NUMBERS = re.compile(r"\[\n([^\[\]{}\"]*)\]")


@contextmanager
def staged(*targets: Path) -> Iterator[list[Path]]:
    """Write several files so that all of them appear, complete, or none does.

    The files are written in a hidden folder beside the first target and moved to their names at the end.

    Args:
        targets: The final names; their folders must exist.

    Yields:
        One path per target to write to, with the same file name.
    """
    with tempfile.TemporaryDirectory(prefix=".asva-", dir=targets[0].parent) as folder:
        drafts = [Path(folder, str(number), target.name) for number, target in enumerate(targets)]
        for draft in drafts:
            draft.parent.mkdir()
        try:
            yield drafts
        except (OSError, ValueError) as error:
            raise _about_targets(error, dict(zip(map(str, drafts), map(str, targets), strict=True))) from None
        for draft, target in zip(drafts, targets, strict=True):
            _move(draft, target)


def _about_targets(error: Exception, names: dict[str, str]) -> Exception:
    """The same error about the final names, which are the ones that the user knows."""
    if isinstance(error, OSError) and error.errno is not None:
        name = names.get(str(error.filename), error.filename)
        return type(error)(error.errno, error.strerror, name)
    text = str(error)
    if not any(draft in text for draft in names):
        return error
    for draft, target in names.items():
        text = text.replace(draft, target)
    return type(error)(text)


def _move(draft: Path, target: Path) -> None:
    try:
        os.replace(draft, target)
    except OSError:  # another file system: copy beside the target first, so that the last step is a rename
        beside = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(draft, beside)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as indented UTF-8 JSON; numpy values and paths are turned into plain ones.

    Bytes of file names that are no UTF-8 become JSON escapes, which are read back as the same name.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, default=_plain, allow_nan=False)
    path.write_text(_NUMBERS.sub(_on_one_line, text) + "\n", encoding="utf-8", errors="backslashreplace")


def _on_one_line(match: re.Match[str]) -> str:
    return "[" + " ".join(match[1].split()) + "]"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "detach"):
        return value.detach().cpu().tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"A record cannot hold a {type(value).__name__}.")


def package_versions() -> dict[str, str]:
    """Versions of Python and of every package that can change the pixels."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
