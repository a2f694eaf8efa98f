"""Motion curves of files, measured in the picture or predicted from the sound, and the keyframes chosen from them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva_pipelines.loading.hub import Confirm
from asva_pipelines.localizers import DRAWN, ONSETS, described_localizer, hears_onsets
from asva_pipelines.make.read_inputs import has_pictures, naming, read_sound
from asva_pipelines.methods import find_model
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_audio import Audio
    from asva_keyframe.localizer_network import LocalizerNetwork

FPS = 24.0
WINDOW = 48  # frames of a video that get as many keyframes as a clip of the model
STILL = 0.02  # pixels per frame, averaged over the picture: noise of the compression
AT_ONCE = 32  # frames


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Motion over time.

    Attributes:
        values: (t,) one per frame.
        fps: Frames per second.
        window: Frames that share `num_keyframes` keyframes.
        num_keyframes: Of the model; None where no model said it.
        rule: To choose keyframes by if none is given.
        audio: The sound for the plot, if there is one.
        localizer: What heard it, in words; None of motion that was seen.
    """

    values: np.ndarray
    fps: float
    window: int
    rule: str
    num_keyframes: int = 12
    audio: Audio | None = None
    localizer: str | None = None


def origin_of(source: Path) -> str:
    """``motion`` for a file with pictures, ``sound`` otherwise."""
    return "motion" if has_pictures(source) else "sound"


def from_motion(source: Path, start: float, duration: float | None) -> Curve:
    """Motion of the pictures, relative to the strongest: value i is the motion that leads to frame i."""
    from asva_audio import AudioError, load_audio
    from asva_data import MediaError, iter_frames
    from asva_keyframe import motion_curve

    pairs: list[float] = []
    waiting: list[np.ndarray] = []
    with naming("SOURCE"):
        for _, frame in iter_frames(source, start=start, duration=duration, fps=FPS):
            waiting.append(frame)
            if len(waiting) > AT_ONCE:
                pairs += motion_curve(np.stack(waiting)).tolist()
                waiting = waiting[-1:]
    if len(waiting) > 1:
        pairs += motion_curve(np.stack(waiting)).tolist()
    if len(pairs) < 2:
        raise MediaError(f"`SOURCE` must hold at least three frames from {start:g} s on, got {source}.")
    values = relative_motion(np.asarray(pairs))
    if values.max() < 1:
        note(f"Note: nothing moves in '{source}' from second {start:g} on. Choose another part with --start.")
    try:
        audio = load_audio(source, sample_rate=None, mono=False, start=start, duration=duration)
    except AudioError:
        audio = None
    return Curve(values=values, fps=FPS, window=WINDOW, rule="even", audio=audio)


def relative_motion(pairs: np.ndarray) -> np.ndarray:
    """(t,) motion that leads to each frame, relative to the strongest, from that of each pair (t - 1,)."""
    return np.append(pairs[:1], pairs) / max(float(pairs.max()), STILL)


def from_sound(
    source: Path,
    start: float,
    duration: float | None,
    model: str,
    confirm: Confirm = None,
    wanted: str | None = None,
) -> Curve:
    """Motion that the model's localizer hears, or the onsets, see :func:`asva_pipelines.localizers.hears_onsets`."""
    from asva_audio import Track, imagebind_mel
    from asva_interp import count_frames
    from asva_keyframe import heard_curve

    localizer, settings, told = _localizer(model, confirm, wanted)
    audio = read_sound(source, start, duration, option="SOURCE")
    track, window = Track.of(audio), settings["num_frames"]
    # what lies behind the end is heard as asva sample hears it, and cut off
    count, fps = count_frames(track.duration, settings["fps"]) + window, Fraction(settings["fps"])
    fps = fps.limit_denominator(1_000_000)
    if localizer is None:
        from asva_keyframe import onset_curve  # brings scipy

        values = onset_curve(track, count, fps)
    else:
        values = heard_curve(
            localizer,
            lambda waveform, rate: imagebind_mel(waveform, sample_rate=rate),
            track,
            count,
            window_size=window,
            fps=fps,
            sample_rate=settings["sample_rate"],
        )
    return Curve(
        values=values[:-window],
        fps=settings["fps"],
        window=window,
        rule=settings["selection"],
        num_keyframes=settings["num_keyframes"],
        audio=audio,
        localizer=told,
    )


def _localizer(model: str, confirm: Confirm, wanted: str | None) -> tuple[LocalizerNetwork | None, dict[str, Any], str]:
    """The localizer of a model, or None for onsets; its settings; what it is, in words.

    Nothing is downloaded where none was released.
    """
    from asva_keyframe.bundled import LOCALIZER
    from asva_pipelines.loading.folders import method_of_model, model_settings
    from asva_pipelines.loading.load import load_localizer
    from asva_pipelines.loading.resolve import resolve_model

    named = find_model(model)
    if named is not None and named[0].name == "keyvid" and named[1].folder is None:
        from asva_pipelines.keyvid.released import RELEASED_SETTINGS

        note(f"Note: {named[1].remark}")
        settings = named[0].settings({}) | RELEASED_SETTINGS
        return (None, settings, ONSETS) if wanted != "model" else (load_localizer(LOCALIZER), settings, DRAWN)
    folder = resolve_model(model, confirm=confirm, on_progress=note)
    settings = model_settings(folder, method_of_model(folder, "keyvid"))
    onsets = hears_onsets(wanted, folder)
    return None if onsets else load_localizer(folder), settings, described_localizer(folder, onsets=onsets)


def choose(curve: Curve, *, num: int, rule: str, times: list[float] | None, seed: int) -> np.ndarray:
    """Keyframes by a rule, as `asva sample` chooses them, or the frames nearest to the times given."""
    from asva_interp import make_clip_plan
    from asva_keyframe import keyframes_from_times, unrest
    from asva_pipelines.long.compose import shared_frames
    from asva_pipelines.long.keyframes import kept_keyframes, window_keyframes

    if times is not None:
        with naming("--keyframes", "times"):
            return keyframes_from_times(times, len(curve.values), curve.fps)
    plan = make_clip_plan(
        len(curve.values) / curve.fps,
        curve.fps,
        native_fps=curve.fps,
        window_size=curve.window,
        overlaps=shared_frames(curve.window),
        unrest=unrest(curve.values, curve.fps),
    )
    padded = np.pad(curve.values, (0, max(plan.padded_frames - len(curve.values), 0)))
    return kept_keyframes(plan, window_keyframes(padded, plan, num, rule=rule, seed=seed))
