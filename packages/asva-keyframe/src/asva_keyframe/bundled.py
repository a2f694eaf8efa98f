"""The trained localizer that comes with this package, and the motion curve of any sound by it or without weights."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asva_audio import Audio, Track, imagebind_mel, load_audio
from asva_keyframe.curve import heard_curve, loudness_curve
from asva_keyframe.localizer_network import LocalizerNetwork

if TYPE_CHECKING:
    from asva_keyframe.localizer import MotionLocalizer

LOCALIZER = Path(__file__).parent / "models" / "tiny-localizer"
FPS, SAMPLE_RATE = 24, 16000  # what it was trained on
RULES = ("localizer", "loudness", "onsets")


def load_bundled_localizer() -> MotionLocalizer:
    """The localizer of the model ``tiny`` on the CPU: it knows the sounds of the synthetic world."""
    from asva_keyframe.localizer import MotionLocalizer

    return MotionLocalizer.from_folder(LOCALIZER)


def sound_curve(
    audio: str | os.PathLike[str] | Audio, *, rule: str = "localizer", fps: int | float | None = None
) -> np.ndarray:
    """Motion that goes with a sound of any length, one value for each frame.

    Args:
        audio: A path, or a sound.
        rule: ``"localizer"`` predicts it with :func:`load_bundled_localizer`, at 24 frames per second. Without
            weights, ``"loudness"`` is how loud each frame is, and ``"onsets"`` is :func:`asva_keyframe.onset_curve`.
        fps: Frames per second; None is 24.

    Returns:
        (t,) float32, about [0, 1].

    Raises:
        ValueError: If the rule is unknown, or asks for another frame rate than the localizer has.

    >>> import torch
    >>> click = torch.zeros(1, 16000)
    >>> click[:, 8000:8100] = torch.linspace(0.9, 0, 100)
    >>> sound_curve(Audio(click, 16000), rule="onsets", fps=4).round().tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {', '.join(RULES)}, got {rule}.")
    if rule == "localizer" and fps not in (None, FPS):
        raise ValueError(f"`fps` must be {FPS} with the localizer, got {fps}.")
    track = Track.of(audio if isinstance(audio, Audio) else load_audio(audio, sample_rate=None, mono=False))
    rate = Fraction(FPS if fps is None else fps).limit_denominator(1_000_000)
    num_frames = max(round(track.duration * rate), 1)
    if rule != "localizer":
        from asva_keyframe.onsets import onset_curve

        return (loudness_curve if rule == "loudness" else onset_curve)(track, num_frames, rate)
    localizer = LocalizerNetwork.from_folder(LOCALIZER)
    window = localizer.config["num_frames"]
    heard = heard_curve(
        localizer,
        lambda waveform, sample_rate: imagebind_mel(waveform, sample_rate=sample_rate),
        track,
        num_frames + window,  # what lies behind the end is heard too, and cut off
        window_size=window,
        fps=rate,
        sample_rate=SAMPLE_RATE,
    )
    return heard[:num_frames]
