"""Curation on real clips: how often planted faults are caught, how often untouched clips fall, and what it costs.

Give the folder of real clips: ``python benchmarks/curation.py CLIPS``. Faults are planted in the clips themselves
(spliced cuts, frozen and black picture, cards of text, silence) or in the sound (another clip's, or its own, shifted);
sound is also swapped and shifted in the synthetic world, where it is always in time before. Rates come with Wilson's
95 % interval; costs are CPU time over that of decoding the same files alone, in the same run.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from asva_curate import (
    Excerpt,
    Filter,
    FitScore,
    Plan,
    Recipe,
    RhythmScore,
    TextCover,
    count_reasons,
    decide,
    find_cuts,
    load_recipe,
    measure,
    measure_safely,
    percentiles,
    settle,
)
from asva_curate.curation.shrink import Shrinker
from asva_data import SyntheticWorld, probe, read_video, write_video
from asva_data.listing import video_files
from asva_data.tracks import decode
from asva_metrics import local_sync

POINTS = (0, 1, 5, 25, 50, 75, 95, 99, 100)
SIDE = 144  # pixels of the short side of planted clips
RATE = 16000
WORDS = ("SUBSCRIBE NOW", "thanks for watching", "more at our channel")
SYNC = "open-asva-sync"
SHIFTS = (0.5, -0.5, 1.0, -1.0)
RHYTHM = Filter(name="rhythm", measure="rhythm", min=0.0, optional=True)


class Sample(NamedTuple):
    """A clip in memory: (t, h, w, 3) frames, (1, s) sound at 16 kHz, and its rate."""

    frames: np.ndarray
    waveform: np.ndarray
    fps: float


def load(path: Path) -> Sample:
    """The first three seconds of a clip, small, with mono sound."""
    clip = read_video(path, fps=min(30.0, probe(path).fps), duration=3.0)
    scale = SIDE / min(clip.frames.shape[1:3])
    width, height = (round(scale * side / 2) * 2 for side in clip.frames.shape[2:0:-1])
    frames = np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in clip.frames])
    size = round(len(frames) / clip.fps * RATE)
    sound = np.zeros(1) if clip.waveform is None else clip.waveform.mean(axis=0)
    places = np.linspace(0, len(sound) - 1, max(1, round(len(sound) * RATE / (clip.sample_rate or RATE))))
    sound = np.interp(places, np.arange(len(sound)), sound)
    return Sample(frames, np.pad(sound, (0, max(0, size - len(sound))))[None, :size].astype(np.float32), clip.fps)


def fit(frames: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Frames in the size of others."""
    return np.stack([cv2.resize(frame, like.shape[2:0:-1], interpolation=cv2.INTER_AREA) for frame in frames])


def spliced(sample: Sample, other: Sample) -> Sample:
    """The second half of the picture is another clip's."""
    middle = len(sample.frames) // 2
    rest = fit(other.frames[: len(sample.frames) - middle], sample.frames)
    return sample._replace(frames=np.concatenate([sample.frames[:middle], rest]))


def frozen(sample: Sample, other: Sample) -> Sample:
    """The first frame throughout."""
    return sample._replace(frames=np.repeat(sample.frames[:1], len(sample.frames), axis=0))


def black(sample: Sample, other: Sample) -> Sample:
    """No picture."""
    return sample._replace(frames=sample.frames * 0)


def text_card(sample: Sample, other: Sample) -> Sample:
    """Three lines of text over the picture, dimmed."""
    frames = (sample.frames * 0.4).astype(np.uint8)
    height, width = frames.shape[1:3]
    for frame in frames:
        for line, word in enumerate(WORDS):
            (long, _), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)
            scale = 0.9 * width / long
            place = (int(0.05 * width), int((line + 1) * height / 4))
            cv2.putText(frame, word, place, cv2.FONT_HERSHEY_DUPLEX, scale, (250, 250, 250), 2, cv2.LINE_AA)
    return sample._replace(frames=frames)


def silent(sample: Sample, other: Sample) -> Sample:
    """No sound."""
    return sample._replace(waveform=sample.waveform * 0)


def swapped(sample: Sample, other: Sample) -> Sample:
    """Another clip's sound."""
    return sample._replace(waveform=np.resize(other.waveform, sample.waveform.shape))


def shifted(sample: Sample, other: Sample) -> Sample:
    """Its own sound half a second late, going round."""
    return sample._replace(waveform=np.roll(sample.waveform, RATE // 2, axis=1))


FAULTS: dict[str, tuple[Callable[[Sample, Sample], Sample], str]] = {
    "spliced cut": (spliced, "cut"),
    "frozen": (frozen, "frozen"),
    "black": (black, "black"),
    "text card": (text_card, "text"),
    "silent": (silent, "silent"),
    "swapped sound": (swapped, "rhythm"),
    "shifted sound": (shifted, "rhythm"),
}


def wilson(hits: int, total: int) -> str:
    """A share with its 95 % interval."""
    if not total:
        return "none"
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return f"{share:.1%} ({max(0, middle - half):.1%} to {min(1, middle + half):.1%}) of {total}"


def objections(path: Path, recipe: Recipe, scores: dict) -> tuple[set[str], list[tuple[float, float]], float]:
    """Names of the filters that object to a file, its cuts, and its rhythm."""
    found = measure(path, scores=scores, plan=Plan(excerpt_fps=24.0, excerpt_side=SIDE))
    names = {rule.name for rule in recipe.filters if rule.applies(found) and rule.reason(rule.value(found))}
    return names, find_cuts(found, recipe.cuts), RHYTHM.value(found)


class Row(NamedTuple):
    """What became of one kind of clip: filter to clips it objects to, planted cuts found, rhythms."""

    counts: dict[str, int]
    cuts: int
    rhythms: np.ndarray


def rates(samples: list[Sample], kinds: list[str], recipe: Recipe, scores: dict) -> dict[str, Row]:
    """Every kind of fault, and "untouched", planted in every sample."""
    table: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for kind in ["untouched", *kinds]:
            counts, cuts, rhythms = Counter(), 0, []
            for place, sample in enumerate(samples):
                other = samples[(place + len(samples) // 2) % len(samples)]
                faulty = FAULTS[kind][0](sample, other) if kind in FAULTS else sample
                write_video(path, faulty.frames, fps=faulty.fps, waveform=faulty.waveform, sample_rate=RATE)
                asked = {name: score for name, score in scores.items() if kind not in FAULTS or name == FAULTS[kind][1]}
                names, found, rhythm = objections(path, recipe, asked)
                middle = len(sample.frames) // 2 / sample.fps
                near = [new for _, new in found if abs(new - middle) < 0.15 or kind == "untouched"]
                cuts += bool(near)
                counts.update(names | ({"cut"} if near else set()))
                rhythms.append(rhythm)
            table[kind] = Row(dict(counts), cuts, np.array(rhythms))
    return table


def auc(true: np.ndarray, false: np.ndarray) -> str:
    """Chance that a true pair's rhythm exceeds a false one's, with its 95 % interval (2000 draws of clips)."""
    both = np.isfinite(true) & np.isfinite(false)
    true, false = true[both], false[both]
    if len(true) < 2:
        return "none"

    def area(places: np.ndarray) -> float:
        a, b = true[places][:, None], false[places][None]
        return float(((a > b) + 0.5 * (a == b)).mean())

    generator = np.random.default_rng(0)
    draws = [area(generator.integers(0, len(true), len(true))) for _ in range(2000)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{area(np.arange(len(true))):.2f} ({low:.2f} to {high:.2f}), chance 0.50, {len(true)} clips"


def world_samples(count: int) -> Iterator[Sample]:
    """Clips of the synthetic world in which something strikes."""
    world = SyntheticWorld(seed=5, size=96, two_objects=0.0)
    index = made = 0
    while made < count:
        if world.class_of(index) not in ("cloud", "disc"):
            clip = world[index]
            made += 1
            yield Sample(clip.frames, clip.waveform, 24.0)
        index += 1


def sync_number(sample: Sample, waveform: np.ndarray, score: FitScore, stat: Callable) -> float:
    """What a filter of local sync sees in a window of three seconds: excerpts of two, half a second apart."""
    values = []
    for start in (0.0, 0.5, 1.0):
        first, frame = round(start * RATE), round(start * sample.fps)
        frames = sample.frames[frame : frame + round(2 * sample.fps)]
        excerpt = Excerpt(
            path="",
            label="",
            start=start,
            seconds=2.0,
            frames=frames,
            times=np.arange(len(frames)) / sample.fps,
            waveform=waveform[:, first : first + 2 * RATE],
            sample_rate=RATE,
        )
        values.append(score(excerpt))
    return float(stat(values))


def synchrony_of(frames: np.ndarray, fps: float, waveform: np.ndarray, sample_rate: int) -> float:
    """Local sync of a clip, in standard deviations above chance."""
    return local_sync(waveform, sample_rate, frames, fps).excess


def synchrony(samples: list[Sample]) -> None:
    """Print what thresholds of local sync catch of wrong sound, and drop of right one."""
    score, rule = FitScore(synchrony_of), load_recipe(SYNC).filters[-1]
    numbers: dict[str, list[float]] = {}
    for place, sample in enumerate(samples):
        other = samples[(place + len(samples) // 2) % len(samples)].waveform
        sounds = {"untouched": sample.waveform, "another clip's": np.resize(other, sample.waveform.shape)}
        sounds |= {f"shifted by {by:+} s": np.roll(sample.waveform, round(by * RATE), axis=1) for by in SHIFTS}
        for name, sound in sounds.items():
            numbers.setdefault(name, []).append(sync_number(sample, sound, score, np.max))
    true = np.array(numbers.pop("untouched"))
    bounds = {f"p{point}": float(np.percentile(true, point)) for point in (5, 10, 20, 33)} | {SYNC: rule.min}
    print(f"\nLocal sync over {len(samples)} windows of 3 s\n\n| sound | AUC | " + " | ".join(bounds) + " |")
    print("|---|---|" + "---|" * len(bounds))
    print("| least value kept | | " + " | ".join(f"{bound:.2f}" for bound in bounds.values()) + " |")
    cells = (wilson(int((true < bound).sum()), len(true)) for bound in bounds.values())
    print("| untouched, dropped | | " + " | ".join(cells) + " |")
    for name, values in numbers.items():
        cells = (wilson(int((np.array(values) < bound).sum()), len(true)) for bound in bounds.values())
        print(f"| {name}, caught | {auc(true, np.array(values))} | " + " | ".join(cells) + " |")


def show(title: str, table: dict[str, Row], total: int) -> None:
    """Print one row a fault: caught by its filter, and untouched clips that the same filter drops."""
    print(f"\n{title}\n\n| fault | filter | caught | untouched clips it drops |\n|---|---|---|---|")
    for kind, row in table.items():
        if kind in FAULTS:
            name = FAULTS[kind][1]
            falsely = table["untouched"].counts.get(name, 0)
            print(f"| {kind} | {name} | {wilson(row.counts.get(name, 0), total)} | {wilson(falsely, total)} |")
            if name == "rhythm":
                print(f"| {kind}, AUC of rhythm | | {auc(table['untouched'].rhythms, row.rhythms)} | |")


def bare_decode(path: Path) -> None:
    """Every frame and every block of sound, untouched."""
    for _ in decode(path, "video"):
        pass
    if probe(path).has_sound:
        for _ in decode(path, "audio"):
            pass


def shrunk(path: Path) -> None:
    """Every frame decoded, twelve a second made small; the sound decoded."""
    shrink, wanted = Shrinker(72, 1.0, "bgr24"), 0.0
    for index, frame in enumerate(decode(path, "video")):
        if index / probe_fps(path) >= wanted:
            wanted += 1 / 12
            shrink(frame)
    if probe(path).has_sound:
        for _ in decode(path, "audio"):
            pass


@cache
def probe_fps(path: Path) -> float:
    """Frames per second of a file."""
    return probe(path).fps


def costs(paths: list[Path], recipe: Recipe, rounds: int) -> None:
    """Print CPU time of each stage over that of decoding alone: medians of the rounds' ratios."""
    text, sync = {"text": TextCover()}, {"local_sync": FitScore(synchrony_of)}
    fine = Plan(excerpt_fps=30.0, excerpt_side=128)
    stages: dict[str, Callable[[Path], object]] = {
        "decode alone": bare_decode,
        "decode, make small": shrunk,
        "measure (picture, flow, hashes, sound)": measure,
        "measure and decide: open-asva without networks": lambda path: decide(measure(path), recipe),
        "the same with on-screen text (network)": lambda path: decide(measure(path, scores=text), recipe),
        "the same with local sync, without text": lambda path: decide(measure(path, scores=sync, plan=fine), recipe),
    }
    taken: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(rounds):
        for name, stage in stages.items():
            begin = time.process_time()
            for path in paths:
                stage(path)
            taken[name].append(time.process_time() - begin)
    print(f"\nCost over decoding alone, {len(paths)} files, {rounds} rounds\n\n| stage | ratio |\n|---|---|")
    for name, values in taken.items():
        ratios = sorted(value / base for value, base in zip(values, taken["decode alone"], strict=True))
        print(f"| {name} | {ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")


def through(paths: list[Path], names: list[str]) -> None:
    """Print what each recipe keeps of the real clips, and the percentiles that thresholds were chosen from."""
    text = {"text": TextCover()}
    measured = [measure_safely(path, label=path.stem.split("_")[0], scores=text) for path in paths]
    for name in names:
        recipe = load_recipe(name, {"whole.min_per_class": 0})
        verdicts = settle(measured, [decide(item, recipe) for item in measured], recipe)
        print(f"\n{name}: {count_reasons(verdicts)}")
        print("\n| filter | " + " | ".join(f"p{point}" for point in POINTS) + " |\n|---|" + "---|" * len(POINTS))
        for rule, values in percentiles(measured, recipe, POINTS).items():
            print(f"| {rule} | " + " | ".join(f"{value:.3g}" for value in values.values()) + " |")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of real clips")
    parser.add_argument("--num", type=int, default=131, help="clips that faults are planted in, of each kind")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the costs")
    parser.add_argument("--files", type=int, default=40, help="files of the costs, about")
    parser.add_argument("--parts", default="through,costs,faults,world,sync", help="which tables, with commas between")
    options = parser.parse_args()
    paths, recipe = video_files(options.clips), load_recipe("open-asva")
    parts = options.parts.split(",")
    if "through" in parts:
        through(paths, ["open-asva", "avsync-ac"])
    if "costs" in parts:
        costs(paths[:: max(1, len(paths) // options.files)], recipe, options.rounds)
    if "faults" in parts:
        samples = [load(path) for path in whole(options.clips, paths)[: options.num]]
        table = rates(samples, list(FAULTS), recipe, {"text": TextCover(), "rhythm": RhythmScore()})
        show(f"Faults planted in {len(samples)} real clips", mark(table), len(samples))
    if "sync" in parts:
        samples = [load(path) for path in whole(options.clips, paths)[: options.num]]
        synchrony([sample for sample in samples if len(sample.frames) >= 2.99 * sample.fps])
    if "world" in parts:
        samples = list(world_samples(options.num))
        table = rates(samples, ["swapped sound", "shifted sound"], recipe, {"rhythm": RhythmScore()})
        show(f"Sound swapped and shifted in {len(samples)} clips of the synthetic world", mark(table), len(samples))


def mark(table: dict[str, Row]) -> dict[str, Row]:
    """Count the clips whose sound fits better when it is shifted."""
    for row in table.values():
        row.counts["rhythm"] = int((row.rhythms < 0).sum())
    return table


def whole(root: Path, paths: list[Path]) -> list[Path]:
    """Clips in which the manifest beside them counts no cut, in an order that mixes the sources."""
    manifest = root / "manifest.csv"
    rows = list(csv.DictReader(manifest.open(encoding="utf-8"))) if manifest.is_file() else []
    cut = {row["file"] for row in rows if row.get("scene_cuts", "0") != "0"}
    kept = [path for path in paths if path.name not in cut]
    return [kept[place] for place in np.random.default_rng(0).permutation(len(kept))]


if __name__ == "__main__":
    main()
