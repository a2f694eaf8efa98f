"""Uploads as the page shows them: waveform, motion and keyframes of a sound; a small copy of a picture."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np

from asva_pages.demo.settings import Settings

SHOWN = 480  # pixels of the longer side of a preview
HEARD = 24000  # hertz of a sound's preview
COLUMNS = 60  # of the waveform to a second
TOO_LONG = 0.05  # seconds


def look(path: Path, preview: Path, *, bundled: bool = False) -> dict[str, Any]:
    """Read a picture, or the first frame of a video, and write a small one to show.

    Args:
        path: The file.
        preview: The small picture.
        bundled: Whether the bundled model makes videos of pictures that it knows, and `warp` of the others, as is said.
    """
    from PIL import Image

    from asva_pipelines.make.default_method import is_known
    from asva_pipelines.make.read_inputs import read_picture
    from asva_pipelines.notes import note

    picture = read_picture(path, (0, 0))
    small = Image.fromarray(picture)
    small.thumbnail((SHOWN, SHOWN))
    small.save(preview, format="PNG")
    moved = bundled and not is_known(path)
    if moved:
        note(
            "Note: the bundled model does not know such pictures, so this one is moved by rule, at its own size. Paint "
            "over what shall move, or let it be found."
        )
    return {"height": picture.shape[0], "width": picture.shape[1]} | ({"moved": True} if moved else {})


def hear(path: Path, preview: Path, settings: Settings) -> dict[str, Any]:
    """Read a sound, and say how it looks and where the model would put its keyframes.

    Raises:
        ValueError: If it cannot be read, or is longer than allowed.
    """
    from asva_pipelines.curves import choose
    from asva_pipelines.loading.folders import method_of_model, model_settings

    method = method_of_model(settings.folder)
    told = model_settings(settings.folder, method)
    most = settings.limits.seconds
    curve = (_predicted if "keyframe" in method.stages else _loud)(path, most + 1, settings.folder, told)
    seconds = curve.audio.duration
    if seconds > most + TOO_LONG:
        raise ValueError(f"The sound must be at most {most:g} s long, got more: cut it.")
    _write_preview(preview, curve.audio)
    shown = {
        "seconds": round(float(seconds), 4),
        "waveform": _columns(curve.audio.waveform.numpy(), max(round(COLUMNS * seconds), 100)),
        "curve": np.maximum(curve.values, 0).astype(np.float64).round(4).tolist(),
        "fps": curve.fps,
        "keyframes": None,
    }
    if "keyframe" in method.stages:
        indices = choose(curve, num=curve.num_keyframes, rule=curve.rule, times=None, seed=0)
        shown |= {
            "keyframes": (np.asarray(indices) / curve.fps).round(4).tolist(),
            "most": curve.num_keyframes,
            "window": curve.window / curve.fps,
        }
    return shown


def _predicted(path: Path, seconds: float, folder: Path, told: dict[str, Any]) -> Any:
    from asva_pipelines.curves import from_sound

    del told
    return from_sound(path, 0.0, seconds, str(folder))


def _loud(path: Path, seconds: float, folder: Path, told: dict[str, Any]) -> Any:
    """How loud it is, where the model hears no motion."""
    from fractions import Fraction

    from asva_audio import Track
    from asva_interp import count_frames
    from asva_keyframe import loudness_curve
    from asva_pipelines.curves import Curve
    from asva_pipelines.make.read_inputs import read_sound

    del folder
    audio = read_sound(path, 0.0, seconds)
    track, fps = Track.of(audio), Fraction(told["fps"]).limit_denominator(1_000_000)
    values = loudness_curve(track, count_frames(track.duration, fps), fps)
    return Curve(values=values, fps=float(fps), window=told["num_frames"], rule="uniform", audio=audio)


def _columns(waveform: np.ndarray, count: int) -> list[float]:
    """The strongest sample of each column, relative to the loudest of all."""
    level = np.abs(waveform).max(axis=0).astype(np.float64)  # so that rounded numbers are short ones
    columns = np.array([part.max(initial=0.0) for part in np.array_split(level, min(count, level.size))])
    return (columns / max(float(columns.max(initial=0.0)), 1e-4)).round(3).tolist()


def _write_preview(path: Path, audio: Any) -> None:
    """The sound in a form that every browser plays."""
    from asva_audio import resample

    samples = resample(audio.waveform.mean(dim=0, keepdim=True), audio.sample_rate, HEARD)[0].clamp(-1, 1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HEARD)
        file.writeframes((samples * 32767).round().to(dtype=_int16()).numpy().tobytes())


def _int16() -> Any:
    import torch

    return torch.int16
