"""What is observed in a clip without any weights: motion, sound, and how far the pixels are from the true ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from asva_eval.cutting import Cut
from asva_eval.weights import Networks
from asva_metrics import (
    audio_events,
    flow_trajectory,
    local_changes,
    local_sync_profile,
    motion_change,
    moving_psnr,
    onset_times,
    psnr,
    sound_growth,
    video_events,
)

SILENT = 1e-4
"""Peak below which a sound is silence (-80 dB of full scale)."""
SOUNDLESS = ("no sound track", "the sound is silent")
ENVELOPE_RATE = 100
"""Values of the drawn loudness per second."""
MOVES = 16
"""Grey levels from its median in time by which a pixel of the true clip moves."""


@dataclass(frozen=True)
class Observed:
    """What an observation found: small facts for the record, and tensors for statistics of sets."""

    facts: dict[str, Any]
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """Base of what is found in a clip once and recorded, so that scores can be computed again without the clip.

    Attributes:
        needs: Names of the weights it takes.
        pair: Whether it looks at the true clip too.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    pair: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """Name and settings; what was observed under an equal key is not observed again."""
        return repr(self).removesuffix("()")

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        """Find it in a clip.

        Raises:
            ValueError: If there is nothing to be found; the message is the reason that reports give.
        """
        raise NotImplementedError


class MotionCurve(Observation):
    """Mean length of Farneback's flow into every frame, in pixels at the file's resolution and rate."""

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        curve = _rounded(flow_trajectory(cut.moving))
        share = float(np.mean(curve[1:])) / min(cut.moving.shape[1:3])
        return Observed({"fps": cut.moving_fps, "curve": curve, "amount": 100 * cut.moving_fps * share})


class MotionChange(Observation):
    """How much the motion changes at each frame, and the events that are seen in it."""

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        curve = motion_change(cut.moving)
        events = video_events(curve, cut.moving_fps)
        return Observed({"fps": cut.moving_fps, "curve": _rounded(curve), "events": _rounded(events)})


class SoundEvents(Observation):
    """Onsets as AV-Align finds them, events as we do, and the loudness for the eye."""

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        waveform, rate = sound_of(cut)
        onsets, events = (find(waveform, rate) for find in (onset_times, audio_events))
        within = {name: _rounded(t[t < cut.seconds]) for name, t in (("onsets", onsets), ("events", events))}
        return Observed(
            within | {"peak": float(np.abs(waveform).max()), "envelope": _envelope(cut.seconds, waveform, rate)}
        )


class LocalSignals(Observation):
    """How each part of the picture changes, how the sound grows, and how well they fit at every shift of the sound."""

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        changes, growth = local_changes(cut.moving), sound_growth(*sound_of(cut))
        profile = local_sync_profile(growth, changes, cut.moving_fps)
        drawn = {"shifts": _rounded(profile.shifts), "scores": _rounded(profile.scores)}
        tensors = {"changes": np.asarray(changes, np.float32), "growth": np.asarray(growth, np.float32)}
        return Observed({"fps": cut.moving_fps, "profile": drawn}, tensors)


class PixelError(Observation):
    """How far the frames are from the true ones in decibels, all of them and where the true clip moves."""

    pair: ClassVar = True

    def observe(self, cut: Cut, reference: Any, networks: Networks) -> Observed:
        check_sizes(cut, reference)
        away = np.abs(reference.frames - np.median(reference.frames, axis=0, keepdims=True)).max(axis=-1)
        moving = moving_psnr(cut.frames, reference.frames, away > MOVES)
        whole = psnr(cut.frames, reference.frames)
        return Observed({"all": _decibels(whole), "moving": _decibels(moving)})


def sound_of(cut: Cut) -> tuple[np.ndarray, int]:
    """The waveform of a clip and its rate.

    Raises:
        ValueError: If there is no sound track or only silence.
    """
    if cut.waveform is None or cut.sample_rate is None:
        raise ValueError(SOUNDLESS[0])
    if np.abs(cut.waveform).max(initial=0.0) < SILENT:
        raise ValueError(SOUNDLESS[1])
    return cut.waveform, cut.sample_rate


def check_sizes(cut: Cut, reference: Cut) -> None:
    """Refuse to compare pixels of frames that differ in size.

    Raises:
        ValueError: If they do; the message is the reason that reports give.
    """
    if cut.frames.shape != reference.frames.shape:
        ours, theirs = ("x".join(map(str, x.frames.shape[2:0:-1])) for x in (cut, reference))
        raise ValueError(f"the sizes differ, {ours} and {theirs} pixels: give the protocol a `size`")


def _decibels(value: Any) -> float | str:
    """A number, or in words why there is none."""
    if np.isinf(value):
        return "the frames equal the true ones"
    return "nothing moves in the true clip" if np.isnan(value) else float(value)


def _envelope(seconds: float, waveform: np.ndarray, rate: int) -> dict[str, Any]:
    count = round(seconds * ENVELOPE_RATE)
    edges = np.arange(count + 1) * rate // ENVELOPE_RATE
    pieces = (waveform[a:b] for a, b in pairwise(edges))
    return {"rate": ENVELOPE_RATE, "peaks": [round(float(np.abs(piece).max(initial=0.0)), 4) for piece in pieces]}


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(np.asarray(values, dtype=np.float64), 9).tolist()
