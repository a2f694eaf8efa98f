"""Is an offset that was planted between picture and sound read off the file? On drawn and on real clips.

Each file is written, its sound is moved by `move_sound`, and the offset is read from the file alone. "Found": read
within 60 ms and not refused. The three constants of the reading are fitted (`--fit`) on clips of another seed and on
the recordings whose name's SHA-256 is even. Brackets hold 95 % intervals by bootstrap over clips.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy.optimize import minimize
from sync_scores_real import has_clear_events

from asva_data import SyntheticWorld, move_sound, read_video, write_video
from asva_data.synthetic.catalogue import CLASSES
from asva_eval.offset import video_evidence
from asva_metrics import bootstrap_interval, motion_change, read_offset
from asva_metrics.offset import NEAR, REACH, SHIFTS, clip_likelihoods

ROOT = Path(__file__).resolve().parents[1]
FIT_SEED, SEED = 777_101, 777_102
EVENTS = [name for name in CLASSES if name != "cloud"]


def evidence_of(path: Path, seconds: float, cache: Path) -> list[np.ndarray]:
    """What a file says with its sound moved, or what an earlier run left of it."""
    file = cache / f"{path.stem}@{seconds:+.3f}.npy"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            moved = move_sound(path, Path(folder) / "moved.mp4", seconds)
            try:
                found = video_evidence(moved)
            except ValueError as error:
                print(f"{path.stem}: {error}", flush=True)
                found = []
        np.save(file, np.asarray(found))
    return list(np.load(file))


def drawn(seed: int, count: int, folder: Path) -> list[Path]:
    """Drawn clips as files."""
    world, paths = SyntheticWorld(seed, classes=EVENTS), []
    for index in range(count):
        path = folder / f"drawn-{seed}-{index:03}.mp4"
        if not path.exists():
            clip = world[index]
            write_video(path, clip.frames, fps=clip.fps, waveform=clip.waveform, sample_rate=clip.sample_rate)
        paths.append(path)
    return paths


def clear_recordings(folder: Path, cache: Path) -> list[Path]:
    """The recordings with clear events, see `sync_scores_real`; listed in the cache once they were looked at."""
    listed = cache / "clear.txt"
    if not listed.exists():
        found = []
        for path in sorted(folder.glob("*.mp4")):
            clip = read_video(path)
            if clip.waveform is None or np.abs(clip.waveform).max() < 1e-3:
                continue
            fps = (len(clip.times) - 1) / (clip.times[-1] - clip.times[0])
            sound = clip.waveform.mean(axis=0)[: round(len(clip.times) / fps * clip.sample_rate)]
            if has_clear_events(sound, clip.sample_rate, motion_change(clip.frames), fps):
                found.append(path.name)
        listed.write_text("\n".join(found), encoding="utf-8")
    return [folder / name for name in listed.read_text(encoding="utf-8").split("\n")]


def fit(sets: list[list[np.ndarray]]) -> None:
    """The constants that make the true shift, none, likeliest within 40 ms; each set counts alike."""
    near = np.abs(SHIFTS) <= 0.041

    def loss(values: np.ndarray) -> float:
        weights, stray = np.exp(values[:2]), 1 / (1 + np.exp(-values[2]))
        shares = [[np.exp(clip_likelihoods(one, weights, stray))[near].sum() for one in found] for found in sets]
        return -float(np.mean([np.mean(np.log(found)) for found in shares]))

    found = minimize(loss, [0.0, 2.0, -2.0], method="Nelder-Mead").x
    print(f"weights {np.exp(found[:2]).round(3)}, stray {1 / (1 + np.exp(-found[2])):.3f}, loss {loss(found):.3f}")


def show(title: str, paths: list[Path], cache: Path) -> None:
    """A row of the table: one planted offset for each clip."""
    generator = np.random.default_rng(0)
    planted = generator.uniform(-0.5, 0.5, len(paths))
    readings = [read_offset(evidence_of(path, float(p), cache)) for path, p in zip(paths, planted, strict=True)]
    near = np.array([abs(r.offset + p) <= NEAR for r, p in zip(readings, planted, strict=True)])
    refused = np.array([bool(r.reason) for r in readings])
    inside = np.array([r.low - 0.01 <= -p <= r.high + 0.01 for r, p in zip(readings, planted, strict=True)])
    cells = []
    for values in (near & ~refused, refused, near[~refused], inside[~refused], near):
        cells.append(f"{bootstrap_interval(values.astype(float), generator=generator):.2f}" if len(values) else "-")
    print(f"| {title} | {len(paths)} | " + " | ".join(cells) + f" | {NEAR / REACH:.2f} |", flush=True)


def show_together(title: str, paths: list[Path], cache: Path, size: int) -> None:
    """A row for groups of clips that share an offset, as those of one system do: 40 draws of each planted offset."""
    generator, rows = np.random.default_rng(0), []
    for planted in (-0.4, -0.2, 0.0, 0.2, 0.4):
        evidence = [evidence_of(path, planted, cache) for path in paths]
        for _ in range(40):
            chosen = generator.choice(len(paths), size, replace=False)
            one = read_offset([e for place in chosen for e in evidence[place]])
            rows.append([abs(one.offset + planted) <= NEAR and not one.reason, bool(one.reason)])
    found, refused = np.mean(rows, axis=0)
    print(f"| {title} | {size} | {found:.2f} | {refused:.2f} | {NEAR / REACH:.2f} |", flush=True)


def main() -> None:
    """Fit if asked, then print one row for each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, default=ROOT / ".." / "shared" / "clips" / "real")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps clips and what they say")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    cache = arguments.cache
    cache.mkdir(parents=True, exist_ok=True)
    clear = clear_recordings(arguments.clips, cache)
    even = {path for path in clear if hashlib.sha256(path.stem.encode()).digest()[-1] % 2 == 0}
    if arguments.fit:
        known = drawn(FIT_SEED, 100, cache), sorted(even)
        fit([[one for path in paths for one in evidence_of(path, 0.0, cache)] for paths in known])
    print("| clips | n | found | refused | right where answered | interval holds it | right, all answered | chance |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    show("drawn", drawn(SEED, 200, cache), cache)
    show("real, clear events", clear, cache)
    show("real, clear events, held out", [path for path in clear if path not in even], cache)
    print("\n| clips | clips in a group | found | refused | chance |\n| --- | --- | --- | --- | --- |")
    for size in (5, 10, 20):
        show_together("real, clear events", clear, cache, size)


if __name__ == "__main__":
    main()
