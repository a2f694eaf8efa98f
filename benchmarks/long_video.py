"""One-minute videos of the bundled model: events of the last ten seconds against the first ten, drift and memory.

    python benchmarks/long_video.py              # one minute of four scenes
    python benchmarks/long_video.py --seconds 4  # the memory that a minute's is compared with

Scenes of the synthetic world (held-out seed) with events drawn over the whole minute. Events are read off the pixels
(asva_data.synthetic.detect_events) of the written file and matched one to one within a frame. Videos are made by the
command `asva sample`. Drift is colour (levels of 255), contrast and sharpness (parts of the first frame's).
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


def row(index: int, seconds: float, folder: Path, *more: str) -> tuple[str, ...]:
    """A line of the table."""
    part = min(10.0, seconds / 2)
    scene = long_scene(index, seconds)
    frames, record = sample(scene, folder / f"{index}{''.join(more)}", *more)
    each = record["windows"]["each"]
    drift = [each[0]["drift"], each[-1]["drift"]]
    first, last = part_f1(frames, scene, 0, part), part_f1(frames, scene, seconds - part, seconds)
    told = [f"{one['colour']:.1f}, {one['contrast']:.3f}, {one['sharpness']:.3f}" for one in drift]
    memory = record["memory"]["measured_bytes"] / 1e9
    return scene.name, str(len(each)), f"{first:.3f}", f"{last:.3f}", *told, f"{memory:.3f}"


HEAD = ("class", "windows", "F1 first", "F1 last", "drift, first window", "drift, last window", "peak GB")


def table(rows: list[tuple[str, ...]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def sheet(frames: np.ndarray, path: Path) -> None:
    """Every fourth frame, two seconds to a row."""
    rows = [np.concatenate(list(frames[i : i + 48 : 4]), axis=1) for i in range(0, len(frames) // 48 * 48, 48)]
    Image.fromarray(np.concatenate(rows)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", default="0,1,2,4", help="numbers of scenes")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--no-anchor", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("long-video"))
    options = parser.parse_args()
    more = ["--no-anchor"] if options.no_anchor else []
    rows = [HEAD]
    for index in map(int, options.scenes.split(",")):
        rows.append(row(index, options.seconds, options.folder, *more))
        print(table([HEAD, rows[-1]]), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
