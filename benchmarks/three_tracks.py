"""Does each track steer its own thing and leave the others alone? The 3 x 3 table of a small MTV, in Markdown.

    python benchmarks/three_tracks.py "MTV=runs/mtv/model" "mix in all tracks=runs/mtv-mix/model@mix" --clips 32
    python benchmarks/three_tracks.py MTV=a,b,c "frozen backbone=d,e,f" --guidance 1 --table backbone

Each model is NAME=FOLDER, a folder that `asva train assemble` wrote of an `asva train mtv`, or several trainings of the
same; @mix gives it the whole sound in place of each track, as `--set tracks=mix` has trained it. For held-out clips of
the three-track world, of the size that the models make, a model makes a video of the first frame and the tracks, and,
from the same noise, another with one track taken from another clip. Mouth, strikes and light are read off the pixels of
both.

First table, one row per changed track: how much the reading changed, as a share of how much the true one does when its
own track is changed. Mouth: mean absolute change of the opening; colour: of the logarithm of the light; strikes: 1 - F1
of the strikes after against those before. So 1 on the diagonal and 0 elsewhere is perfect; a video that ignores the
sound has 0 everywhere. Second table, diagonal alone: how right it is, against the GIVEN track and, as a control,
against the ORIGINAL one. Mouth and colour: correlation with the truth; strikes: F1 within one frame. Intervals are 95 %
of a bootstrap over clips. Of several trainings a third table has the rightness of each, and by how much the first model
is ahead, paired by clip. (MTV without training its backbone, table 2. Expected, before it was trained for a
second time: frozen, the mouth alone is behind, by 0.03 or more in each training. Found: by 0.02.)
"""

import argparse
from collections.abc import Callable

import numpy as np
import torch
from results import table

from asva_data import TrackClip, TrackReading, TrackWorld, read_tracks
from asva_data.synthetic.tracks import TRACKS
from asva_pipelines import load_pipeline

HELD_OUT, BATCH = 991, 8
THINGS = dict(zip(TRACKS, ("mouth", "strikes", "colour"), strict=True))
Make = Callable[[list[TrackClip], list[TrackClip]], list[np.ndarray]]


def f1(seen: np.ndarray, true: np.ndarray, frame: float) -> float:
    """F1 within one frame, in seconds; matched one to one, nearest first."""
    pairs = sorted((abs(a - b), i, j) for i, a in enumerate(seen) for j, b in enumerate(true))
    left: set[int] = set()
    right: set[int] = set()
    for distance, i, j in pairs:
        if distance <= frame + 1e-9 and i not in left and j not in right:
            left.add(i)
            right.add(j)
    return 2 * len(left) / (len(seen) + len(true)) if len(seen) + len(true) else 1.0


def changes(before: TrackReading, after: TrackReading, frame: float) -> list[float]:
    """How much mouth, strikes and colour differ."""
    light = [np.log(np.maximum(reading.light, 0.05)) for reading in (before, after)]
    return [
        float(np.abs(after.opening - before.opening).mean()),
        1.0 - f1(after.strike_times, before.strike_times, frame),
        float(np.abs(light[1] - light[0]).mean()),
    ]


def rightness(track: str, reading: TrackReading, clip: TrackClip) -> float:
    """How right what a track steers is, against the truth of a clip."""
    if track == "effects":
        return f1(reading.strike_times, clip.strike_times, 1 / clip.fps)
    seen, true = reading.opening, clip.opening
    if track == "music":
        seen, true = (np.log(np.maximum(light, 0.05)).ravel() for light in (reading.light, clip.light))
    if seen.std() < 1e-6 or true.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(seen, true)[0, 1])


def renders(clips: list[TrackClip], first: list[TrackClip]) -> list[np.ndarray]:
    """True renders, as a model that cannot do better."""
    del first
    return [clip.frames for clip in clips]


def still(clips: list[TrackClip], first: list[TrackClip]) -> list[np.ndarray]:
    """The first frame, repeated: a model that hears nothing."""
    del clips
    return [np.repeat(clip.frames[:1], len(clip.frames), axis=0) for clip in first]


def model(folder: str, steps: int | None, guidance: float | None) -> Make:
    """A trained model; ``@mix`` behind the folder gives it the mix three times."""
    folder, _, how = folder.partition("@")
    pipeline = load_pipeline(folder, method="mtv", device="cpu", dtype="float32")
    asked = {"num_inference_steps": steps, "audio_guidance_scale": guidance}

    def sound(clip: TrackClip, name: str) -> torch.Tensor:
        return torch.as_tensor(clip.waveform if how == "mix" else clip.stems[name])

    def make(clips: list[TrackClip], first: list[TrackClip]) -> list[np.ndarray]:
        frames: list[np.ndarray] = []
        for start in range(0, len(clips), BATCH):
            batch = range(start, min(start + BATCH, len(clips)))
            out = pipeline(
                [first[i].caption for i in batch],
                **{name: [sound(clips[i], name) for i in batch] for name in TRACKS},
                image=[first[i].frames[0] for i in batch],
                sample_rate=clips[0].sample_rate,
                generator=[torch.Generator().manual_seed(i) for i in batch],
                **asked,
            )
            frames += list(out.frames)
        return frames

    return make


def read(frames: np.ndarray, clip: TrackClip) -> TrackReading:
    return read_tracks(frames, clip.scene, fps=clip.fps)


def measure(make: Make, world: TrackWorld, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Changes (3 tracks, clips, 3 things), and rightness (3 tracks, clips, given and original)."""
    originals = [world[i] for i in range(number)]
    before = [read(f, c) for f, c in zip(make(originals, originals), originals, strict=True)]
    moved, right = [], []
    for track in TRACKS:
        swapped = [world.compose(i, **{track: number + i}) for i in range(number)]
        after = [read(f, c) for f, c in zip(make(swapped, originals), originals, strict=True)]
        moved.append([changes(old, new, 1 / world.fps) for old, new in zip(before, after, strict=True)])
        right.append(
            [
                [rightness(track, new, given), rightness(track, new, original)]
                for new, given, original in zip(after, swapped, originals, strict=True)
            ]
        )
    return np.array(moved), np.array(right)


def interval(values: np.ndarray) -> str:
    """Mean of (clips,) values and its 95 % interval."""
    draws = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5))
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="NAME=FOLDER[@mix][,FOLDER...]")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--steps", type=int, help="sampling steps; the model's own if not given")
    parser.add_argument("--guidance", type=float, help="of the sound; the model's own if not given")
    parser.add_argument("--table", default="", help="what the tables are called beside those of the page")
    options = parser.parse_args()
    torch.set_num_threads(1)
    words = {name or folder: folder.split(",") for name, _, folder in (word.rpartition("=") for word in options.models)}
    world = TrackWorld(HELD_OUT, absent=0.0, **(size_of(next(iter(words.values()))[0]) if words else {}))
    true_moved, true_right = measure(renders, world, options.clips)
    unit = true_moved.mean(axis=1).diagonal()
    found = {"true renders": (true_moved, true_right), "first frame": measure(still, world, options.clips)}
    each = {}
    for name, folders in words.items():
        each[name] = [measure(model(one, options.steps, options.guidance), world, options.clips) for one in folders]
        found[name] = tuple(np.mean(part, axis=0) for part in zip(*each[name], strict=True))
        print(f"measured {name}", flush=True)
    prefix = options.table and f"{options.table}-"
    rows = [
        [name if not place else "", f"change the {track}"]
        + [interval(moved[place, :, thing] / unit[thing]) for thing in range(3)]
        for name, (moved, _) in found.items()
        for place, track in enumerate(TRACKS)
    ]
    print("\n" + table(f"three_tracks/{prefix}changes", [["", "", *THINGS.values()], *rows]) + "\n")
    rows = [
        [name, against, *(interval(right[place, :, column]) for place in range(3))]
        for name, (_, right) in found.items()
        for column, against in enumerate(("given track", "original track"))
    ]
    print(table(f"three_tracks/{prefix}right", [["", "against the", *THINGS.values()], *rows]))
    if any(len(one) > 1 for one in each.values()):
        print("\n" + table(f"three_tracks/{prefix}trainings", trainings(each)))


def size_of(folder: str) -> dict[str, float]:
    """Size, frames and rate that a model makes."""
    config = load_pipeline(folder.partition("@")[0], method="mtv", device="cpu", dtype="float32").config
    return {"size": config.height, "num_frames": config.num_frames, "fps": config.fps}


def trainings(each: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> list[list[str]]:
    """How right each training is against the track given, and by how much the first model is ahead of the others."""
    rights = {name: np.stack([right[:, :, 0] for _, right in one]) for name, one in each.items()}
    first, *others = rights
    rows = [["", *THINGS.values()]]
    for name, right in rights.items():
        rows.append([name, *(", ".join(f"{value:.3f}" for value in right[:, place].mean(1)) for place in range(3))])
    for name in others:
        ahead = (rights[first] - rights[name]).mean(0)
        rows.append([f"{first} less {name}", *(interval(ahead[place]) for place in range(3))])
    return rows


if __name__ == "__main__":
    main()
