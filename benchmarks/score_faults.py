"""Which sync score to believe: nuisances that should change nothing, faults of five strengths that should.

The rule, the candidates and the hypotheses are in docs/scores.md, and were there before this was run. Results of each
clip are kept in a folder, so that a stopped run goes on; `--tables` prints what is there as Markdown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from results import table

from asva_audio import resample
from asva_data import SyntheticWorld, read_video, write_video
from asva_data.synthetic import faults
from asva_data.synthetic.catalogue import CLASSES
from asva_metrics import (
    audio_events,
    av_align,
    av_align_score,
    bootstrap_interval,
    flow_trajectory,
    load_small_sync,
    local_changes,
    local_sync_profile,
    match_events,
    motion_change,
    motion_peaks,
    onset_times,
    shift_rank,
    shifted_times,
    sound_growth,
    video_events,
)

SEED, TOLERANCE, STRANGERS, NUM_SHIFTS = 777_201, 0.1, 4, 32
EVENTS = [name for name in CLASSES if name != "cloud"]
CANDIDATES = ("event F1", "local sync", "small classifier", "AV-Align 2025")
FORMS = ("raw", "excess over shifts", "excess over other clips")
TIMES, SHARES, DRIFTS = (0.04, 0.08, 0.16, 0.32, 0.64), (0.1, 0.25, 0.5, 0.75, 1.0), (0.02, 0.04, 0.08, 0.16, 0.32)
SOUNDS = {"": "own", ", theirs": "another clip's"}
NUISANCES = ("held 2", "held 4", "half dropped", "half the rate", "crf 40", "noise", "sway")
STRENGTHS = {
    "shift": TIMES,
    "drift": DRIFTS,
    "missing": SHARES,
    "extra": SHARES,
    "wrong object": SHARES,
    "frozen": SHARES,
    "random motion": SHARES,
    "warp": TIMES,
}


@dataclass(frozen=True)
class Picture:
    """What is seen, measured once."""

    seconds: float
    fps: float
    events: np.ndarray
    cells: np.ndarray
    embeds: torch.Tensor
    peaks: np.ndarray | None
    still: bool


@dataclass(frozen=True)
class Sound:
    """What is heard, measured once."""

    events: np.ndarray
    growth: np.ndarray
    embeds: torch.Tensor
    onsets: np.ndarray


@dataclass(frozen=True)
class Clip:
    """Frames and a mono sound at 16 kHz, with what is known of it."""

    frames: np.ndarray
    fps: float
    waveform: np.ndarray
    times: np.ndarray | None
    kind: str

    @property
    def seconds(self) -> float:
        return len(self.frames) / self.fps


def see(frames: np.ndarray, fps: float, with_flow: bool) -> Picture:
    network = load_small_sync()
    seconds = len(frames) / fps
    at = np.floor(np.arange(round(seconds * network.config.fps)) / network.config.fps * fps + 1e-6).astype(int)
    video = torch.from_numpy(frames[np.minimum(at, len(frames) - 1)]).permute(0, 3, 1, 2)[None]
    seen = video_events(motion_change(frames), fps)
    peaks = motion_peaks(flow_trajectory(frames), fps, rule="2025") if with_flow else None
    return Picture(
        seconds, fps, seen, local_changes(frames), network.embed_video(video), peaks, not np.diff(frames, axis=0).any()
    )


def hear(waveform: np.ndarray, seconds: float) -> Sound:
    sound = np.resize(waveform, round(seconds * 16000)).astype(np.float32)
    tensor = torch.from_numpy(sound)
    onsets = onset_times(tensor.numpy(), 16000)
    embeds = load_small_sync().embed_audio(tensor[None])
    events, growth = audio_events(sound, 16000), sound_growth(sound, 16000)
    return Sound(events[events < seconds], growth, embeds, onsets[onsets < seconds])


def raw(picture: Picture, sound: Sound) -> list[float]:
    """Each candidate; nan where undefined."""
    match = match_events(picture.events, sound.events, TOLERANCE)
    count = 2 * match.tp + match.fp + match.fn
    align = np.nan if picture.peaks is None else av_align(sound.onsets, picture.peaks, picture.fps, rule="2025")
    local = local_sync_profile(sound.growth, picture.cells, picture.fps)
    excess = 0.0 if local.reason else local.excess  # as reports have it: what is flat fits no better at its own time
    return [2 * match.tp / count if count else np.nan, excess, _rank(picture, sound, [0])[0], align]


def _rank(picture: Picture, sound: Sound, places: list[int]) -> list[float]:
    if picture.still:
        return [0.5] * len(places)
    shifts = torch.arange(NUM_SHIFTS) * picture.seconds / NUM_SHIFTS
    scores = load_small_sync().profile(sound.embeds, picture.embeds, shifts)[0].numpy()
    return [shift_rank(scores, picture.seconds, place=place) for place in places]


def shifted(picture: Picture, sound: Sound) -> list[float]:
    """The same with the sound moved around the clip, the mean over the shifts."""
    moves = shifted_times(sound.events, picture.seconds, NUM_SHIFTS)
    matches = [match_events(picture.events, move, TOLERANCE) for move in moves]
    total = sum(2 * m.tp + m.fp + m.fn for m in matches)
    if picture.peaks is None:
        align = np.nan
    else:
        align = av_align_score(sound.onsets, picture.peaks, picture.fps, duration=picture.seconds).chance
    ranks = np.mean(_rank(picture, sound, list(range(1, NUM_SHIFTS))))
    return [sum(2 * m.tp for m in matches) / total if total else np.nan, 0.0, float(ranks), align]


def forms(picture: Picture, sound: Sound, strangers: list[Sound]) -> np.ndarray:
    """(candidates, forms)."""
    own, around = np.array(raw(picture, sound)), np.array(shifted(picture, sound))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where no stranger defines it, nan is meant
        others = np.nanmean([raw(picture, stranger) for stranger in strangers], axis=0)
    return np.stack((own, own - around, own - others), axis=1)


def nuisance(name: str, clip: Clip, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Frames and their rate with a nuisance."""
    frames, fps = clip.frames, clip.fps
    if name.startswith("held"):
        return faults.hold_frames(frames, int(name[-1])), fps
    if name == "half dropped":  # a random half of the frames is lost, and the one before shown on
        kept = np.flatnonzero(np.append(True, generator.random(len(frames) - 1) < 0.5))
        return frames[kept[np.searchsorted(kept, np.arange(len(frames)), side="right") - 1]], fps
    if name == "half the rate":
        return frames[::2], fps / 2
    if name == "crf 40":
        with tempfile.TemporaryDirectory() as folder:
            return read_video(write_video(Path(folder) / "x.mp4", frames, fps=fps, crf=40)).frames, fps
    return (faults.add_noise(frames, 8, generator) if name == "noise" else faults.sway(frames, fps, 0.03)), fps


def faulty(name: str, strength: float, clip: Clip, other: Clip, generator: np.random.Generator) -> Clip:
    """The clip with a fault."""
    frames, sound, fps, times = clip.frames, clip.waveform, clip.fps, clip.times
    if name == "shift":
        sound = faults.shift_sound(sound, strength * generator.choice((-1, 1)), 16000)
    elif name == "drift":
        sound = faults.drift_sound(sound, strength)
    elif name == "missing":
        frames = faults.still_events(frames, fps, times, strength, generator)
    elif name == "extra":
        sound = faults.add_sounds(sound, 16000, times, strength, generator)
    elif name == "wrong object":
        at = np.minimum((np.arange(len(frames)) / fps * other.fps).astype(int), len(other.frames) - 1)
        frames = faults.other_picture(frames, _as_large(other.frames[at], frames.shape[1:3]), strength)
    elif name == "frozen":
        frames = faults.freeze(frames, strength)
    elif name == "random motion":
        frames = faults.scramble_time(frames, fps, strength, generator)
    else:
        frames = faults.warp_time(frames, fps, strength)
    return Clip(frames, fps, sound, times, clip.kind)


def _as_large(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    import cv2

    return frames if frames.shape[1:3] == size else np.stack([cv2.resize(f, size[::-1]) for f in frames])


class Drawn:
    """Drawn clips with events."""

    def __init__(self, count: int) -> None:
        self.world, self.count = SyntheticWorld(SEED, classes=EVENTS), count

    def __len__(self) -> int:
        return self.count

    @lru_cache(maxsize=200)  # noqa: B019
    def __getitem__(self, index: int) -> Clip:
        clip = self.world[index % self.count]
        return Clip(clip.frames, clip.fps, clip.waveform[0], clip.event_times, clip.class_name)


class Recorded:
    """Recordings, listed in a file; the shorter side at 96 pixels."""

    def __init__(self, folder: Path, listed: Path) -> None:
        self.paths = [folder / name for name in listed.read_text(encoding="utf-8").split()]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Clip:
        path = self.paths[index % len(self)]
        clip = read_video(path)
        scale = 96 / min(clip.frames.shape[1:3])
        frames = _as_large(clip.frames, tuple(2 * round(side * scale / 2) for side in clip.frames.shape[1:3]))
        sound = resample(torch.from_numpy(clip.waveform.mean(axis=0)), clip.sample_rate, 16000).numpy()
        fps = (len(clip.times) - 1) / (clip.times[-1] - clip.times[0])
        seconds = min(len(frames) / fps, len(sound) / 16000)
        return Clip(frames[: int(seconds * fps)], fps, sound[: round(seconds * 16000)], None, path.stem.split("_")[0])


def measure(clips: Drawn | Recorded, index: int, with_nuisances: bool, flow: bool) -> dict[str, np.ndarray]:
    """Everything of one clip: (candidates, forms) by name."""
    clip, generator = clips[index], np.random.default_rng([SEED, index])
    steps = [round(len(clips) * (i + 1) / (STRANGERS + 2)) for i in range(STRANGERS + 1)]
    theirs, *strangers = [hear(clips[(index + step) % len(clips)].waveform, clip.seconds) for step in steps]
    other = next(o for o in (clips[(index + k) % len(clips)] for k in range(1, len(clips))) if o.kind != clip.kind)
    picture, sound = see(clip.frames, clip.fps, flow), hear(clip.waveform, clip.seconds)
    found = {"clean": forms(picture, sound, strangers), "clean, theirs": forms(picture, theirs, strangers)}
    for name in NUISANCES if with_nuisances else ():
        changed = see(*nuisance(name, clip, generator), flow)
        found[name] = forms(changed, sound, strangers)
        found[f"{name}, theirs"] = forms(changed, theirs, strangers)
    for name, strengths in STRENGTHS.items():
        if clip.times is None and name in ("missing", "extra"):
            continue
        for strength in strengths:
            made = faulty(name, strength, clip, other, generator)
            seen = picture if made.frames is clip.frames else see(made.frames, made.fps, flow)
            heard = sound if made.waveform is clip.waveform else hear(made.waveform, clip.seconds)
            found[f"{name} {strength:g}"] = forms(seen, heard, strangers)
    return found


def interval(values: np.ndarray) -> list[float]:
    """Mean with its interval over the clips that define it."""
    defined = values[np.isfinite(values)]
    if len(defined) < 3:
        return [float("nan")] * 3
    found = bootstrap_interval(defined, generator=np.random.default_rng(0))
    return [found.estimate, found.low, found.high]


def within(clean: np.ndarray, wrong: np.ndarray) -> list[float]:
    """Share of the clips whose clean version scores higher, ties half, with its interval."""
    both = np.isfinite(clean) & np.isfinite(wrong)
    return interval(((clean > wrong) + 0.5 * (clean == wrong))[both].astype(float))


def tables(folder: Path) -> dict[str, dict]:
    """All figures, by candidate and form."""
    clips = [dict(np.load(path)) for path in sorted(folder.glob("*.npz"))]
    report = {}
    for c, candidate in enumerate(CANDIDATES):
        for f, form in enumerate(FORMS):
            taken = {name: np.array([one[name][c, f] for one in clips if name in one]) for name in clips[0]}
            entry = {
                "num_clips": int(np.isfinite(taken["clean"]).sum()),
                "clean": interval(taken["clean"]),
                "theirs": interval(taken["clean, theirs"]),
            }
            with_nuisances = [one for one in clips if "noise" in one]
            for name in NUISANCES if with_nuisances else ():
                for kind in ("", ", theirs"):
                    change = [one[name + kind][c, f] - one[f"clean{kind}"][c, f] for one in with_nuisances]
                    entry[f"change {name}{kind}"] = interval(np.array(change))
            for name, strengths in STRENGTHS.items():
                for strength in strengths:
                    key = f"{name} {strength:g}"
                    if key in taken:
                        entry[key] = interval(taken[key])
                        entry[f"AUC {key}"] = within(taken["clean"], taken[key])
            report[f"{candidate}, {form}"] = entry
    return report


def judge(report: dict[str, dict]) -> dict[str, dict]:
    """The rule of docs/scores.md: what keeps each form from leading, and its mean AUC."""
    verdicts = {}
    for name, entry in report.items():
        raised = [n for n in NUISANCES if f"change {n}" in entry and entry[f"change {n}"][1] > 0]
        lifted = [n for n in NUISANCES if f"change {n}, theirs" in entry and entry[f"change {n}, theirs"][1] > 0]
        rising = []
        for fault in ("shift", "missing", "random motion"):
            found = [entry["clean"], *(entry[f"{fault} {s:g}"] for s in STRENGTHS[fault] if f"{fault} {s:g}" in entry)]
            if any(after[1] > before[2] for before, after in pairwise(found)):  # clear above the weaker one
                rising.append(fault)
        counted = ("shift", "missing", "extra", "warp", "random motion")
        aucs = [entry[f"AUC {f} {s:g}"][0] for f in counted for s in STRENGTHS[f] if f"AUC {f} {s:g}" in entry]
        mean = float(np.mean(aucs)) if aucs else float("nan")
        verdicts[name] = {"raised": raised, "lifted": lifted, "rising": rising, "mean AUC": round(mean, 3)}
    return verdicts


def show(report: dict[str, dict], kind: str) -> None:
    """The tables of docs/benchmarks.md."""
    if any("change noise" in entry for entry in report.values()):
        rows = [("change of", "sound", *NUISANCES)]
        for name, entry in report.items():
            rows += [(name, s, *(cell(entry[f"change {n}{k}"]) for n in NUISANCES)) for k, s in SOUNDS.items()]
        print(table(f"score_faults/{kind}-nuisances", rows))
    for form in (FORMS[2], FORMS[0]):
        names = {c: f"{c}, {form}" for c in CANDIDATES if np.isfinite(report[f"{c}, {form}"]["clean"][0])}
        rows, first = [("fault", "strength", *names)], report[next(iter(names.values()))]
        for fault, strengths in STRENGTHS.items():
            for key in (f"{fault} {s:g}" for s in strengths if f"AUC {fault} {s:g}" in first):
                cells = (cell(report[name][f"AUC {key}"]) for name in names.values())
                rows.append((fault, key.removeprefix(f"{fault} "), *cells))
        print(f"\n{form}\n\n{table(f'score_faults/{kind}-{form.split()[0]}', rows)}")
    rows = [
        ("score, form", "clips", "clean", "other clips' sounds", "raised by", "lifted by", "rises with", "mean AUC")
    ]
    for name, one in judge(report).items():
        entry = report[name]
        if np.isfinite(entry["clean"][0]):
            marks = (", ".join(one[key]) or "-" for key in ("raised", "lifted", "rising"))
            figures = (str(entry["num_clips"]), cell(entry["clean"]), cell(entry["theirs"]))
            rows.append((name, *figures, *marks, f"{one['mean AUC']:.2f}"))
    print(f"\n{table(f'score_faults/{kind}-rule', rows)}")


def cell(values: list[float]) -> str:
    """A figure with its interval."""
    return "-" if not np.isfinite(values[0]) else "{:.2f} [{:.2f}, {:.2f}]".format(*values)


def main() -> None:
    """Measure clips, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--num", type=int, default=200, help="drawn clips; the first 100 get the nuisances")
    parser.add_argument("--flow", type=int, default=60, help="clips that get AV-Align, whose flow takes longest")
    parser.add_argument("--clips", type=Path, help="folder of recordings instead, with --listed")
    parser.add_argument("--listed", type=Path, help="names of the recordings, a line each")
    parser.add_argument("--tables", action="store_true")
    arguments = parser.parse_args()
    if arguments.tables:
        show(tables(arguments.output), "real" if arguments.clips else "drawn")
        return
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    clips = Recorded(arguments.clips, arguments.listed) if arguments.clips else Drawn(arguments.num)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for index in range(len(clips)):
        path = arguments.output / f"{index:03}.npz"
        if not path.exists():
            found = measure(clips, index, with_nuisances=index < 100, flow=index < arguments.flow)
            np.savez(path, **found)


if __name__ == "__main__":
    main()
