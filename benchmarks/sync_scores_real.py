"""Which scores tell true sound from wrong sound on real recordings: AUC against shifted and swapped sound.

Every clip is scored with its own sound, with the same sound moved circularly by 0.2, 0.5 and 1.0 s both ways, and with
another clip's. Figures are AUC (0.5 is chance) with 95 % intervals by bootstrap over clips.

"Clear events" is a rule on sound and picture, not on any score: at least two heard events and at most four a second,
whose growth is at least four times the upper quartile of the sound's; and at least two seen events. Constants of our
scores were chosen on the clips whose name's SHA-256 is even ("chosen on"); the others ("held out") were only measured.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

from asva_audio import resample
from asva_data import read_video
from asva_metrics import (
    audio_events,
    av_align,
    av_align_score,
    chance_level,
    event_f1,
    flow_trajectory,
    load_small_sync,
    local_changes,
    local_sync_profile,
    motion_change,
    motion_peaks,
    onset_times,
    pearson,
    separation,
    shift_profile,
    sound_envelope,
    sound_growth,
    video_events,
)
from asva_metrics.audio_events import GROWTH_RATE
from asva_metrics.onsets import SAMPLE_RATE as ONSET_RATE

ROOT = Path(__file__).resolve().parents[1]
SHIFTS = (0.2, 0.5, 1.0)
TOLERANCE = 0.1
"""Seconds between a seen and a heard event of one cause."""


@dataclass(frozen=True)
class Seen:
    """What a clip shows, measured once: curves (t,), cells (t - 1, n), embeddings (t', d)."""

    fps: float
    duration: float
    flow: np.ndarray
    change: np.ndarray
    cells: np.ndarray
    embeds: torch.Tensor


@dataclass(frozen=True)
class Clip:
    """A recording: what it shows and its sound at the rates of our scores and of AV-Align, as long as the picture."""

    name: str
    seen: Seen
    sounds: dict[int, np.ndarray]

    @property
    def chosen_on(self) -> bool:
        return hashlib.sha256(self.name.encode()).digest()[-1] % 2 == 0

    @property
    def clear(self) -> bool:
        return has_clear_events(self.sounds[16000], 16000, self.seen.change, self.seen.fps)


def has_clear_events(sound: np.ndarray, rate: int, change: np.ndarray, fps: float) -> bool:
    """The rule of clear events."""
    growth, events = sound_growth(sound, rate), audio_events(sound, rate)
    if not 2 <= len(events) <= 4 * len(change) / fps:
        return False
    at = np.round(events * GROWTH_RATE).astype(int)
    strength = [growth[max(0, i - 6) : i + 6].max() for i in at]
    contrast = np.median(strength) / max(np.quantile(growth, 0.75), 0.1)
    return contrast >= 4 and len(video_events(change, fps)) >= 2


def measure_picture(path: Path) -> dict[str, np.ndarray]:
    """Everything that takes long: decoding and flow; frames squeezed to 96 pixels for the classifier."""
    clip = read_video(path)
    wave = np.zeros(1, np.float32) if clip.waveform is None else clip.waveform.mean(axis=0)
    return {
        "times": clip.times,
        "wave": wave,
        "rate": np.array(clip.sample_rate or 0),
        "flow": flow_trajectory(clip.frames),
        "change": motion_change(clip.frames),
        "cells": local_changes(clip.frames),
        "frames": np.stack([cv2.resize(f, (96, 96), interpolation=cv2.INTER_AREA) for f in clip.frames]),
    }


def read_clip(path: Path, cache: Path | None) -> Clip | None:
    """Read a recording, or what an earlier run left of it; None without sound."""
    file = None if cache is None else cache / f"{path.stem}.npz"
    if file is not None and file.exists():
        with np.load(file) as stored:
            found = dict(stored)
    else:
        found = measure_picture(path)
        if file is not None:
            cache.mkdir(parents=True, exist_ok=True)
            np.savez(file, **found)
    times, wave, rate, frames = found["times"], found["wave"], int(found["rate"]), found["frames"]
    if np.abs(wave).max() < 1e-3:
        return None
    fps = (len(times) - 1) / (times[-1] - times[0])
    duration = float(min(len(times) / fps, len(wave) / rate))
    sound = torch.from_numpy(wave[: round(duration * rate)])
    sounds = {wanted: resample(sound, rate, wanted).numpy() for wanted in (16000, ONSET_RATE)}
    network = load_small_sync()
    at = np.arange(int(duration * network.config.fps)) / network.config.fps * fps + 1e-6
    video = torch.from_numpy(frames[np.minimum(at.astype(int), len(frames) - 1)]).permute(0, 3, 1, 2)
    seen = Seen(float(fps), duration, found["flow"], found["change"], found["cells"], network.embed_video(video[None]))
    return Clip(path.stem, seen, sounds)


@dataclass(frozen=True)
class Heard:
    """What a sound holds, measured once: events and growth, AV-Align's onsets, embeddings (1, n, d)."""

    events: np.ndarray
    growth: np.ndarray
    envelope: np.ndarray
    onsets: np.ndarray
    embeds: torch.Tensor


def listen(sounds: dict[int, np.ndarray], seen: Seen) -> Heard:
    """Measure a sound given at both rates."""
    sound = np.ascontiguousarray(sounds[16000])
    return Heard(
        audio_events(sound, 16000),
        sound_growth(sound, 16000),
        sound_envelope(sound, 16000, seen.fps, len(seen.change)),
        onset_times(sounds[ONSET_RATE]),
        load_small_sync().embed_audio(torch.from_numpy(sound)[None]),
    )


Score = Callable[[Seen, Heard], float]


def align(rule: str) -> Score:
    """AV-Align by a published rule."""
    return lambda seen, heard: av_align(heard.onsets, motion_peaks(seen.flow, seen.fps, rule=rule), seen.fps, rule=rule)


def align_excess(seen: Seen, heard: Heard) -> float:
    """AV-Align above its chance level."""
    peaks = motion_peaks(seen.flow, seen.fps)
    return av_align_score(heard.onsets, peaks, seen.fps, duration=seen.duration).excess


def events(seen: Seen, heard: Heard) -> float:
    """F1 of seen against heard events."""
    return event_f1([video_events(seen.change, seen.fps)], [heard.events], TOLERANCE)


def events_excess(seen: Seen, heard: Heard) -> float:
    """The same above its chance level."""
    sights, duration = [video_events(seen.change, seen.fps)], seen.duration
    sounds = [heard.events[heard.events < duration]]
    return event_f1(sights, sounds, TOLERANCE) - chance_level(sights, sounds, TOLERANCE, duration=duration).f1


def classifier(seen: Seen, heard: Heard) -> float:
    """The small classifier: log-probability of the true time within 40 ms among all circular shifts."""
    count = int(seen.duration * 50)
    scores = load_small_sync().profile(heard.embeds, seen.embeds, torch.arange(count) / 50)[0]
    return float(scores[[-2, -1, 0, 1, 2]].logsumexp(0) - scores.logsumexp(0))


SCORES: dict[str, Score] = {
    **{f"AV-Align {rule}": align(rule) for rule in ("2023", "2025", "javis")},
    "AV-Align 2025, excess over chance": align_excess,
    "event F1 (ours)": events,
    "event F1, excess over chance (ours)": events_excess,
    "curve correlation (ours)": lambda seen, heard: pearson(seen.change, heard.envelope),
    "shift profile of the curves, excess (ours)": lambda seen, heard: (
        shift_profile(heard.envelope, seen.change, seen.fps).excess
    ),
    "local sync (ours)": lambda seen, heard: local_sync_profile(heard.growth, seen.cells, seen.fps).excess,
    "small classifier (ours)": classifier,
}


def measure(clips: list[Clip], scores: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """Scores of every clip: own sound (n,), shifted by each time both ways (n, 2), another clip's (n,)."""
    found = {name: {kind: [] for kind in ("own", *map(str, SHIFTS), "other")} for name in scores}
    for place, clip in enumerate(clips):
        other = clips[(place + len(clips) // 2) % len(clips)]
        sounds = {"own": [clip.sounds], "other": [_as_long(other.sounds, clip.sounds)]}
        sounds |= {str(shift): [_moved(clip.sounds, shift), _moved(clip.sounds, -shift)] for shift in SHIFTS}
        for kind, given in sounds.items():
            heard = [listen(sound, clip.seen) for sound in given]
            for name in scores:
                found[name][kind].append([SCORES[name](clip.seen, h) for h in heard])
    return {name: {kind: np.asarray(v, dtype=np.float64) for kind, v in kinds.items()} for name, kinds in found.items()}


def _moved(sounds: dict[int, np.ndarray], seconds: float) -> dict[int, np.ndarray]:
    return {rate: np.roll(sound, round(seconds * rate)) for rate, sound in sounds.items()}


def _as_long(sounds: dict[int, np.ndarray], as_these: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    return {rate: np.resize(sound, len(as_these[rate])) for rate, sound in sounds.items()}


def row(found: dict[str, np.ndarray], chosen: np.ndarray) -> str:
    """AUC of one score on some clips, a cell for each kind of wrong sound."""
    cells, undefined = [], 0
    for name in [*map(str, SHIFTS), "other"]:
        result = separation(found["own"][chosen, 0], found[name][chosen], generator=np.random.default_rng(0))
        undefined = max(undefined, result.num_undefined)
        cells.append(f"{result.auc:.2f}")
    return " | ".join(cells) + f" | {undefined}"


def main() -> None:
    """Measure all scores and print one table for each group of clips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, default=ROOT / ".." / "shared" / "clips" / "real")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was measured")
    parser.add_argument("--scores", nargs="*", default=list(SCORES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    clips = [clip for path in sorted(arguments.clips.glob("*.mp4")) if (clip := read_clip(path, arguments.cache))]
    found = measure(clips, arguments.scores)
    clear, chosen_on = (np.array([getattr(c, name) for c in clips]) for name in ("clear", "chosen_on"))
    groups = {
        "all clips": np.ones(len(clips), bool),
        "clear events": clear,
        "clear events, chosen on": clear & chosen_on,
        "clear events, held out": clear & ~chosen_on,
    }
    for title, chosen in groups.items():
        print(f"\n{title} ({chosen.sum()} clips)\n\n| score | 0.2 s | 0.5 s | 1.0 s | another clip's | undefined |")
        print("| --- | --- | --- | --- | --- | --- |")
        for name, values in found.items():
            print(f"| {name} | {row(values, chosen)} |", flush=True)


if __name__ == "__main__":
    main()
