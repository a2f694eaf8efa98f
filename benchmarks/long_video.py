"""One-minute videos of the bundled model: events of the last ten seconds against the first ten, drift and memory.

    python benchmarks/long_video.py                  # one minute of eight scenes, and four seconds of each
    python benchmarks/long_video.py --scenes 0,1     # fewer of them

Scenes of the synthetic world (held-out seed) with events drawn over the whole minute. Events are read off the pixels
(asva_data.synthetic.detect_events) of the written file and matched one to one within a frame. Videos are made by the
command `asva sample`. Drift is colour (levels of 255), contrast and sharpness (parts of the first frame's). The
difference of the two F1 has a bootstrap interval over scenes; memory is compared with that of four seconds. A sheet of
pictures, two a second and eight seconds to a row, lies beside each video.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from results import markdown, table

from asva_data import SyntheticWorld, detect_events
from asva_data.synthetic.catalogue import EVENT_CLASSES, OBJECT_CLASSES
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
        seen.times, scene.times[inside] - start, tolerance / FPS, predicted_labels=seen.labels, target_labels=labels
    )
    return event_scores([found]).f1


def sample(scene: Scene, folder: Path, *more: str) -> tuple[np.ndarray, dict]:
    """Frames and record of `asva sample` in a process of its own, so that its memory is its own."""
    from asva_audio import Audio, write_sound
    from asva_data import read_video

    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene.picture).save(folder / "a.png")
    write_sound(folder / "a.wav", Audio(torch.from_numpy(scene.waveform), scene.sample_rate))
    words = ["-i", folder / "a.png", "-a", folder / "a.wav", "-p", scene.caption, "-o", folder / "a.mp4", "--crf", "6"]
    subprocess.run([sys.executable, "-m", "asva", "sample", *words, "--overwrite", *more], check=True)
    return read_video(folder / "a.mp4").frames, json.loads((folder / "a.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one scene gave.

    Attributes:
        first: F1 of the first ten seconds.
        last: F1 of the last ten.
        drift: Of the first and of the last window.
        windows: How many there are.
        memory: Bytes at most.
        short: Bytes at most for four seconds of the same scene.
    """

    name: str
    first: float
    last: float
    drift: tuple[dict[str, float], dict[str, float]]
    windows: int
    memory: int
    short: int

    @property
    def row(self) -> tuple[str, ...]:
        told = [f"{one['colour']:.1f}, {one['contrast']:.3f}, {one['sharpness']:.3f}" for one in self.drift]
        ratio = f"{self.memory / self.short:.3f}"
        return self.name, str(self.windows), f"{self.first:.3f}", f"{self.last:.3f}", *told, ratio


def measure(index: int, seconds: float, folder: Path, *more: str) -> Measured:
    """Make and judge one scene, and four seconds of it."""
    part = min(10.0, seconds / 2)
    scene = long_scene(index, seconds)
    home = folder / f"{index}{''.join(more)}"
    frames, record = sample(scene, home, *more)
    sheet(frames, home / "sheet.png")
    _, short = sample(long_scene(index, 4.0), folder / f"{index}-short", *more)
    each = record["windows"]["each"]
    return Measured(
        name=scene.name,
        first=part_f1(frames, scene, 0, part),
        last=part_f1(frames, scene, seconds - part, seconds),
        drift=(each[0]["drift"], each[-1]["drift"]),
        windows=len(each),
        memory=record["memory"]["measured_bytes"],
        short=short["memory"]["measured_bytes"],
    )


def summary(measured: list[Measured]) -> str:
    """Means, and the interval of the difference over scenes."""
    first, last = (np.array([getattr(one, name) for one in measured]) for name in ("first", "last"))
    draws = np.random.default_rng(0).integers(len(measured), size=(10_000, len(measured)))
    low, high = np.quantile((last - first)[draws].mean(axis=1), (0.025, 0.975))
    ratio = max(one.memory / one.short for one in measured)
    return (
        f"F1 first {first.mean():.3f}, last {last.mean():.3f}; last - first {(last - first).mean():+.3f} "
        f"({low:+.3f} to {high:+.3f}); memory at most {ratio:.3f} of that for 4 s"
    )


HEAD = ("class", "windows", "F1 first", "F1 last", "drift, first window", "drift, last window", "memory / that of 4 s")


def sheet(frames: np.ndarray, path: Path) -> None:
    """Two frames a second, eight seconds to a row."""
    shown = frames[::12]
    rows = [np.concatenate(list(shown[i : i + 16]), axis=1) for i in range(0, len(shown) // 16 * 16, 16)]
    Image.fromarray(np.concatenate(rows)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", default="0,1,2,3,4,5,6,7", help="numbers of scenes")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--no-anchor", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("long-video"))
    options = parser.parse_args()
    more = ["--no-anchor"] if options.no_anchor else []
    measured = []
    for index in map(int, options.scenes.split(",")):
        measured.append(measure(index, options.seconds, options.folder, *more))
        print(markdown([HEAD, measured[-1].row]), flush=True)
    print(table("long_video/scenes", [HEAD, *(one.row for one in measured)]))
    print(summary(measured))


if __name__ == "__main__":
    main()
