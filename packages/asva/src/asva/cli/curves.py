"""Motion curves of files, measured in the picture or predicted from the sound, and the keyframes chosen from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asva.cli.inputs import has_pictures, naming, read_sound

if TYPE_CHECKING:
    from asva_audio import Audio

FPS = 24.0
NUM_FRAMES = 48

Curve = tuple[np.ndarray, float, "Audio | None"]


def origin_of(source: Path) -> str:
    """``motion`` for a file with pictures, ``sound`` otherwise."""
    return "motion" if has_pictures(source) else "sound"


def from_motion(source: Path, start: float, model: str, yes: bool) -> Curve:
    """Motion of the pictures, scaled to [0, 1]: value i is the motion from frame i to the next.

    Returns:
        (t,) curve, its frames per second, and the sound for the plot, if there is one.
    """
    del model, yes
    import torch

    from asva_audio import Audio
    from asva_data import MediaError, read_video
    from asva_keyframe import motion_curve, scale_curve

    with naming("SOURCE"):
        clip = read_video(source, start=start, duration=(NUM_FRAMES + 1) / FPS, fps=FPS)
    if len(clip.frames) < 3:
        raise MediaError(f"`SOURCE` must hold at least three frames from {start:g} s on, got {source}.")
    scores = motion_curve(clip.frames)
    if len(scores) < NUM_FRAMES:  # the video ends here: nothing follows its last frame
        scores = np.append(scores, scores[-1])
    audio = None
    if clip.waveform is not None:
        length = round(len(scores) / FPS * clip.sample_rate)
        audio = Audio(waveform=torch.from_numpy(clip.waveform[:, :length]), sample_rate=clip.sample_rate)
    return scale_curve(torch.from_numpy(scores)).numpy(), FPS, audio


def from_sound(source: Path, start: float, model: str, yes: bool) -> Curve:
    """Motion that the model's localizer hears, scaled to [0, 1]; shapes as in :func:`from_motion`."""
    from asva.cli.models import agree
    from asva.cli.sampling import clip_seconds, model_settings
    from asva.cli.terminal import note
    from asva.models import resolve_model

    folder = resolve_model(model, confirm=lambda plan: agree(plan, yes=yes), on_progress=note)
    settings = model_settings(folder)
    audio = read_sound(source, start, clip_seconds(settings), option="SOURCE")
    return _predict(folder, audio, settings["sample_rate"], clip_seconds(settings)), settings["fps"], audio


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
