"""Flow pairs per second of each method, and as ratios to DIS medium, measured in turns in one process.

RAFT runs with random weights: its time does not depend on them. Give ``--no-raft`` to leave it out.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from asva_keyframe import flow_pairs

SIZES = ((256, 256), (320, 512))


def moving_texture(height: int, width: int, count: int) -> np.ndarray:
    """A soft random picture that slides three pixels a frame to the right and one down."""
    noise = np.random.default_rng(0).integers(0, 256, (height + count, width + 3 * count, 3), dtype=np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.stack(
        [picture[count - i : count - i + height, 3 * (count - i) : 3 * (count - i) + width] for i in range(count)]
    )


def seconds_per_pair(frames: np.ndarray, options: dict) -> float:
    """Time of one pass over the frames, in seconds of this process."""
    start = time.process_time()
    for _ in flow_pairs(frames, **options):
        pass
    return (time.process_time() - start) / (len(frames) - 1)


def methods(with_raft: bool) -> dict[str, dict]:
    """Name -> options of `flow_pairs`."""
    found = {f"dis {p}": {"method": "dis", "preset": p} for p in ("ultrafast", "fast", "medium")}
    found["farneback"] = {"method": "farneback"}
    if with_raft:
        import torch
        from torchvision.models.optical_flow import raft_large

        torch.set_num_threads(1)
        found["raft, 20 updates"] = {"method": "raft", "model": raft_large(weights=None, progress=False).eval()}
    return found


def main() -> None:
    """Measure and print one table per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-raft", action="store_true", help="leave RAFT out (it takes about a second a pair)")
    parser.add_argument("--rounds", type=int, default=5, help="passes of each method, taken in turns")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    found = methods(not arguments.no_raft)
    for height, width in SIZES:
        frames = moving_texture(height, width, 13)
        times: dict[str, list[float]] = {name: [] for name in found}
        for round_index in range(arguments.rounds):
            for name, options in found.items():
                if options["method"] != "raft":
                    times[name].append(seconds_per_pair(frames, options))
                elif round_index == 0:
                    times[name].append(seconds_per_pair(frames[:2], options))
        reference = np.median(times["dis medium"])
        print(f"\n{height} x {width}, one thread | pairs per CPU second | time against DIS medium")
        for name, values in times.items():
            typical = np.median(values)
            print(f"{name:<18} | {1 / typical:>10.1f} | {typical / reference:>8.2f}")


if __name__ == "__main__":
    main()
