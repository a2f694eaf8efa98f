"""What FID, FVD and KID of several systems cost with features given, against recomputing each with scipy's matrix root.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/distance_cost.py          6 systems, 450 clips

The distance of every system with a jackknife over 20 blocks of clips, as a report computes it: records in memory with
12 Inception features of 2048 dimensions and one I3D vector of 400 for each clip. Against it: features of the clips that
are left, their covariances, `scipy.linalg.sqrtm`, and `kernel_distance`, for each block anew. That way is timed for the
whole and one block, and counted for the others, which do the same on as many clips. Time is CPU time of one thread.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import scipy.linalg
from results import table

from asva_eval.distances import BLOCKS, distance_entry
from asva_eval.protocol import load_protocol
from asva_eval.records import MeasuredClip
from asva_metrics import kernel_distance

SEED, FRAMES = 777_301, 12


class Given:
    """A record whose features are in memory."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors

    def facts(self, observation: object) -> dict:
        return {}

    def tensor(self, observation: object, name: str) -> np.ndarray:
        return self.tensors[type(observation).__name__]


def features(generator: np.random.Generator, clips: int, mixes: dict[str, np.ndarray], drift: float) -> list[Given]:
    """Correlated features, those of a system further from the true ones the larger its drift."""
    rows = {"FrameFeatures": FRAMES, "ClipFeatures": 1}
    return [
        Given({name: (generator.normal(drift, 1 + drift, (rows[name], len(mix))) @ mix).astype(np.float32)
               for name, mix in mixes.items()})
        for _ in range(clips)
    ]  # fmt: skip


def timed(compute: Callable[[], object]) -> tuple[float, object]:
    began = time.process_time()
    found = compute()
    return time.process_time() - began, found


def plain_frechet(generated: np.ndarray, reference: np.ndarray, root: Callable = scipy.linalg.sqrtm) -> float:
    """Covariances from the features, and a root of their product."""
    first, second = (np.cov(x, rowvar=False) for x in (generated, reference))
    gap = ((generated.mean(0) - reference.mean(0)) ** 2).sum()
    return float(gap + np.trace(first) + np.trace(second) - 2 * np.trace(root(first @ second)).real)


def eigen_frechet(generated: np.ndarray, reference: np.ndarray) -> float:
    """The same by plain float64 `eigh`."""
    first, second = (np.cov(x, rowvar=False) for x in (generated, reference))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    gap = ((generated.mean(0) - reference.mean(0)) ** 2).sum()
    trace = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(gap + np.trace(first) + np.trace(second) - 2 * trace)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=450)
    parser.add_argument("--systems", type=int, default=6)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    generator = np.random.default_rng(SEED)
    widths = {"FrameFeatures": 2048, "ClipFeatures": 400}
    mixes = {n: generator.normal(size=(w, w)) * np.arange(1, w + 1) ** -0.5 / w**0.5 for n, w in widths.items()}
    truth = features(generator, options.clips, mixes, 0.0)
    systems = {f"s{i}": features(generator, options.clips, mixes, 0.05 * (i + 1)) for i in range(options.systems)}
    clips = {
        name: [
            MeasuredClip(f"{i:03}", f"{i:03}", "", "", one, true)
            for i, (one, true) in enumerate(zip(made, truth, strict=True))
        ]
        for name, made in systems.items()
    }
    protocol = load_protocol("asva-fixed")
    scores = {score.name: score for score in protocol.scores if score.name in ("fid", "fvd", "kid")}
    block = np.arange(options.clips) % BLOCKS != 0
    rows = [
        (
            "distance",
            "asva, CPU s",
            "recomputed with scipy's root, CPU s",
            "ratio",
            "differs from scipy by",
            "from eigh by",
        )
    ]
    ours_all = theirs_all = 0.0
    for name, score in scores.items():
        (observation,) = score.observed(protocol)
        kind = type(observation).__name__
        ours, entry = timed(lambda score=score: distance_entry(score, clips, protocol))
        made, true = (
            np.stack([one.tensors[kind] for one in side]).astype(np.float64) for side in (systems["s0"], truth)
        )
        plain = kernel_distance if name == "kid" else plain_frechet
        flat = lambda x: x.reshape(-1, x.shape[-1])  # noqa: E731
        whole, value = timed(lambda: plain(flat(made), flat(true)))  # noqa: B023
        one, _ = timed(lambda: plain(flat(made[block]), flat(true[block])))  # noqa: B023
        theirs = options.systems * (whole + BLOCKS * one)
        ours_all, theirs_all = ours_all + ours, theirs_all + theirs
        figure = entry["systems"]["s0"]["value"] / score.scale
        exact = "-" if name == "kid" else f"{abs(figure / eigen_frechet(flat(made), flat(true)) - 1):.0e}"
        rows.append(
            (
                score.title,
                f"{ours:.1f}",
                f"{theirs:.0f}",
                f"{ours / theirs:.3f}",
                f"{abs(figure / value - 1):.0e}",
                exact,
            )
        )
    rows.append(("all", f"{ours_all:.1f}", f"{theirs_all:.0f}", f"{ours_all / theirs_all:.3f}", "", ""))
    print(table("distance_cost/cost", rows))


if __name__ == "__main__":
    main()
