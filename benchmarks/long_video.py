"""One-minute videos of the bundled model: events of the last ten seconds against the first ten, drift and memory.

    python benchmarks/long_video.py                       # the table, about a minute of CPU per row
    python benchmarks/long_video.py --seconds 10 --sheet sheet.png

Scenes of the synthetic world (held-out seed) with events drawn over the whole minute. Events are read off the pixels
(asva_data.synthetic.detect_events) and matched one to one within a frame.
"""

import argparse
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from asva_data.synthetic import EVENT_CLASSES, SyntheticWorld, detect_events
from asva_data.synthetic.catalogue import OBJECT_CLASSES
from asva_data.synthetic.render import render
from asva_data.synthetic.script import Script

FPS = 24
HELD_OUT = 1_000_011
PER_SECOND = 2.0  # events; clips of the training have 1 to 3


@dataclass
class Scene:
    """A still picture and a long sound with known events."""

    name: str
    picture: np.ndarray
    waveform: np.ndarray
    sample_rate: int
    times: np.ndarray
    labels: list[str]
    scene: dict
    caption: str
    moving: int
    script: Script

    def truth(self) -> np.ndarray:
        """The frames as the world would draw them."""
        times = np.arange(round(self.script.duration * FPS)) / FPS
        return render(
            self.scene, self.picture.shape[0], self.moving, self.script.poses(times), self.script.sparks(times)
        ).frames


def long_scene(index: int, seconds: float, silent: tuple[float, float] = (0.0, 0.0)) -> Scene:
    """A scene with one object and events drawn over all seconds but the silent ones."""
    name = EVENT_CLASSES[index % len(EVENT_CLASSES)]
    clip = SyntheticWorld(HELD_OUT, classes=(name,), two_objects=0.0)[index]
    rng = np.random.default_rng([HELD_OUT, index])
    kind = OBJECT_CLASSES[name]
    style = kind.style
    count = round(seconds * PER_SECOND)
    slack = seconds - 0.12 - style.first - (count - 1) * style.min_gap
    times = style.first + np.sort(rng.uniform(0.0, slack, count)) + style.min_gap * np.arange(count)
    times = times[(times < silent[0]) | (times > silent[1])]
    labels = [kind.labels[i] for i in rng.integers(len(kind.labels), size=len(times))]
    script = Script(kind, times, labels, rng.uniform(0.55, 1.0, len(times)), seconds)
    waveform = script.waveform(rng, clip.sample_rate)
    return Scene(
        name, clip.frames[0], waveform, clip.sample_rate, times, labels, clip.scene, clip.caption,
        clip.moving_object, script,
    )  # fmt: skip


def part_f1(frames: np.ndarray, scene: Scene, start: float, stop: float, tolerance: int = 1) -> float:
    """F1 of the events seen between two seconds."""
    from asva_metrics import event_scores, match_events

    seen = detect_events(frames[round(start * FPS) : round(stop * FPS)], scene.scene)
    inside = (scene.times >= start) & (scene.times < stop)
    labels = [label for label, there in zip(scene.labels, inside, strict=True) if there]
    found = match_events(
        seen.times, scene.times[inside] - start, tolerance / FPS, predicted_labels=seen.labels, true_labels=labels
    )
    return event_scores([found]).f1


def load():
    from asva.models import resolve_model
    from asva.pipelines import KeyVIDPipeline

    pipeline = KeyVIDPipeline.from_pretrained(resolve_model("tiny"))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make(pipeline, scene: Scene, *, anchor: bool = True, calm: bool = True, overlaps: tuple[int, int] = (1, 16)):
    """The video as `asva sample` makes it, and how it came about."""
    from asva.long import LongVideo, Track, heard_curve, make_clip_plan, unrest, window_keyframes

    track = Track(scene.waveform, scene.sample_rate)
    count = round(track.duration * FPS)
    curve = heard_curve(
        pipeline.localizer,
        pipeline.audio_encoder.spectrogram,
        track,
        count + 48,
        window_size=48,
        fps=Fraction(FPS),
        sample_rate=16000,
    )
    rest = unrest(curve, FPS) if calm else None
    plan = make_clip_plan(track.duration, FPS, native_fps=FPS, window_size=48, overlaps=overlaps, unrest=rest)
    each = [{"keyframe_indices": indices} for indices in window_keyframes(curve, plan, 12, rule="even")]
    video = LongVideo(pipeline, plan, scene.picture, track, prompt=scene.caption, each=each, anchor=anchor)
    return video
