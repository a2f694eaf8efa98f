"""Motion curves of files, measured in the picture or predicted from the sound, and the keyframes chosen from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asva.cli.inputs import has_pictures, naming, read_sound
from asva.cli.terminal import note

if TYPE_CHECKING:
    from asva_audio import Audio

FPS = 24.0
NUM_FRAMES = 48
STILL = 0.02  # pixels per frame, averaged over the picture: noise of the compression

Curve = tuple[np.ndarray, float, "Audio | None", str]


def origin_of(source: Path) -> str:
    """``motion`` for a file with pictures, ``sound`` otherwise."""
    return "motion" if has_pictures(source) else "sound"


def from_motion(source: Path, start: float, model: str, yes: bool) -> Curve:
    """Motion of the pictures, relative to the strongest: value i is the motion that leads to frame i.

    Returns:
        (t,) curve, its frames per second, the sound for the plot, if there is one, and the rule to choose by if none is
        given.
    """
    del model, yes
    import torch

    from asva_audio import Audio
    from asva_data import MediaError, read_video

    with naming("SOURCE"):
        clip = read_video(source, start=start, duration=NUM_FRAMES / FPS, fps=FPS)
    if len(clip.frames) < 3:
        raise MediaError(f"`SOURCE` must hold at least three frames from {start:g} s on, got {source}.")
    curve = measured_curve(clip.frames)
    if curve.max() < 1:
        note(f"Note: nothing moves in '{source}' from second {start:g} on. Choose another part with --start.")
    audio = None
    if clip.waveform is not None:
        audio = Audio(waveform=torch.from_numpy(clip.waveform), sample_rate=clip.sample_rate)
    return curve, FPS, audio, "even"


def measured_curve(frames: np.ndarray) -> np.ndarray:
    """Motion of a video, relative to the strongest, below 1 everywhere where nothing moves.

    Args:
        frames: (t, h, w, 3) uint8.

    Returns:
        (t,) the motion that leads to each frame; nothing leads to the first, which has that of the second.
    """
    from asva_keyframe import motion_curve

    if len(frames) < 2:
        return np.zeros(len(frames))
    return relative_motion(motion_curve(frames))


def relative_motion(pairs: np.ndarray) -> np.ndarray:
    """(t,) motion that leads to each frame, relative to the strongest, from that of each pair (t - 1,)."""
    return np.append(pairs[:1], pairs) / max(float(pairs.max()), STILL)


def from_sound(source: Path, start: float, model: str, yes: bool) -> Curve:
    """Motion that the model's localizer hears; shapes as in :func:`from_motion`."""
    from asva.cli.models import agree
    from asva.models import resolve_model
    from asva.models.folders import method_of_model, model_settings

    folder = resolve_model(model, confirm=lambda plan: agree(plan, yes=yes), on_progress=note)
    settings = model_settings(folder, method_of_model(folder, "keyvid"))
    seconds = settings["num_frames"] / settings["fps"]
    audio = read_sound(source, start, seconds, option="SOURCE")
    curve = _predict(folder, audio, settings["sample_rate"], seconds)
    return curve, settings["fps"], audio, settings["selection"]


def _predict(folder: Path, audio: Audio, sample_rate: int, seconds: float) -> np.ndarray:
    import torch

    from asva.models.load import load_localizer
    from asva_audio import imagebind_mel, resample

    heard = resample(audio.waveform.mean(0), audio.sample_rate, sample_rate)[: round(seconds * sample_rate)]
    heard = torch.nn.functional.pad(heard, (0, round(seconds * sample_rate) - len(heard)))
    localizer = load_localizer(folder)
    return localizer.predict(imagebind_mel(heard[None], sample_rate=sample_rate))[0].numpy()


def choose(curve: np.ndarray, fps: float, *, num: int, rule: str, times: list[float] | None, seed: int) -> np.ndarray:
    """Keyframes by a rule, or the frames nearest to the times given."""
    from asva_keyframe import keyframes_from_times, select_keyframes

    if times is None:
        return select_keyframes(curve, num, rule=rule, fps=fps, generator=seed)
    with naming("--keyframes", "times"):
        return keyframes_from_times(times, len(curve), fps)
