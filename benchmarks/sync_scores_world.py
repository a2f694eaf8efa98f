"""Synchronization scores on the synthetic world: is a planted shift found, is true told from shifted sound?

Clips of a seed that no training has seen, of every class with events. The sound is moved circularly by a random time;
the profile must say by how much it has to move back, within half a frame. AUC is that of the score of the true sound
against the same sound moved by 0.2 s either way. Brackets hold 95 % intervals by bootstrap over clips.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from asva_data import SyntheticClip, SyntheticWorld
from asva_data.synthetic.catalogue import CLASSES
from asva_metrics import (
    ShiftProfile,
    SmallSyncClassifier,
    bootstrap_interval,
    load_small_sync,
    local_changes,
    local_sync_profile,
    motion_change,
    separation,
    shift_profile,
    small_sync_profile,
    sound_envelope,
    sound_growth,
)

SEED = 777_001


Profile = Callable[[np.ndarray], ShiftProfile]


def by_curves(clip: SyntheticClip) -> Profile:
    """Correlation of the change of motion with the growth of the sound."""
    curve, rate, fps = motion_change(clip.frames), clip.sample_rate, clip.fps
    return lambda sound: shift_profile(sound_envelope(sound, rate, fps, len(curve)), curve, fps)


def by_cells(clip: SyntheticClip) -> Profile:
    """Local sync."""
    cells = local_changes(clip.frames)
    return lambda sound: local_sync_profile(sound_growth(sound, clip.sample_rate), cells, clip.fps)


def by_classifier(network: SmallSyncClassifier) -> Callable[[SyntheticClip], Profile]:
    """The small classifier."""
    return lambda clip: (
        lambda sound: small_sync_profile(sound, clip.sample_rate, clip.frames, clip.fps, network=network)
    )


def main() -> None:
    """Print one row per score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--weights", type=Path, help="folder of a SmallSyncClassifier; the bundled one if none")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = SmallSyncClassifier.from_pretrained(arguments.weights).eval() if arguments.weights else load_small_sync()
    world = SyntheticWorld(SEED, classes=[name for name in CLASSES if name != "cloud"])
    scores: dict[str, tuple[Callable[[SyntheticClip], Profile], str]] = {
        "small classifier": (by_classifier(network), "probability"),
        "local sync": (by_cells, "excess"),
        "shift profile of the curves": (by_curves, "excess"),
    }
    print("| score | AUC, true against 0.2 s | planted shift found within half a frame | within 2 frames |")
    print("| --- | --- | --- | --- |")
    for name, (prepare, figure) in scores.items():
        rng, own, wrong, errors = np.random.default_rng(0), [], [], []
        for index in range(arguments.clips):
            clip = world[index]
            profile = prepare(clip)
            step = round(0.2 * clip.sample_rate)
            planted = int(rng.integers(clip.waveform.shape[1]))
            moves = (0, step, -step, planted)
            true, late, early, moved = (profile(np.roll(clip.waveform[0], move)) for move in moves)
            own.append(getattr(true, figure))
            wrong.append([getattr(p, figure) for p in (late, early)])
            seconds = len(clip.frames) / clip.fps
            errors.append(abs((moved.offset + planted / clip.sample_rate + seconds / 2) % seconds - seconds / 2))
        auc = separation(own, wrong, generator=np.random.default_rng(0)).auc
        found = [
            bootstrap_interval(np.asarray(errors) <= limit, generator=np.random.default_rng(0))
            for limit in (0.5 / world.fps, 2 / world.fps)
        ]
        print(f"| {name} | {auc:.3f} | {found[0]:.3f} | {found[1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
