"""What an evaluation costs besides its networks: FID and FVD of 100 clips, Inception and I3D of full size.

    OMP_NUM_THREADS=1 python benchmarks/evaluation_networks.py                 100 clips against 100, in rounds of 10

Random weights; clips of 2 s, 256 x 256 pixels, 6 frames a second are drawn, protocol `keyvid-12`. In each round the
same clips are taken in turn by the networks alone, on frames in memory, and by `asva_eval.evaluate`, records written.
Every fifth round they are also taken by the networks four clips at once, and by a plain loop that decodes, resizes and
asks. Times are those of the process on one thread (decoding beside the networks counts) and of the clock, as ratios to
the networks alone in the same rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from evaluation_scale import make_clips
from results import table

from asva_data import read_video
from asva_eval import evaluate
from asva_eval.protocol import load_protocol
from asva_metrics import I3D, FIDInception, fid_images, fvd_video

FPS, SIZE, ROUND = 6, 4, 10
WAYS = ("networks alone", "`asva evaluate`", f"networks alone, {SIZE} clips at once", "plain loop over files")


def measured(compute: Callable[[], object]) -> np.ndarray:
    """(seconds of the process, seconds of the clock)."""
    began = np.array([time.process_time(), time.perf_counter()])
    compute()
    return np.array([time.process_time(), time.perf_counter()]) - began


@torch.inference_mode()
def ask(networks: dict, videos: torch.Tensor) -> None:
    """Both networks on (b, t, c, h, w) uint8, as the protocol asks them."""
    networks["inception"](fid_images(videos[:, 1:].flatten(0, 1), resize="avsync"))
    networks["i3d"](fvd_video(videos, resize="avsync"))


def as_video(frames: np.ndarray) -> torch.Tensor:
    """(..., h, w, c) frames as (..., c, h, w), laid out in memory as they were decoded: convolutions are faster so."""
    return torch.from_numpy(frames).movedim(-1, -3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks = {"inception": FIDInception().eval(), "i3d": I3D().eval()}
    whole = load_protocol("keyvid-12")
    protocol = replace(whole, scores=tuple(score for score in whole.scores if score.name in ("fid", "fvd")))
    rows = []
    with tempfile.TemporaryDirectory() as home:
        for number in range(options.clips // ROUND):
            sides = [make_clips(Path(home) / f"{side}{number}", ROUND, FPS, number) for side in ("made", "true")]
            paths = [path for side in sides for path in sorted(side.glob("*.mp4"))]
            videos = as_video(np.stack([read_video(path).frames for path in paths]))
            output = Path(home) / f"out{number}"
            ways = (
                lambda videos=videos: [ask(networks, video[None]) for video in videos],
                lambda sides=sides, output=output: evaluate(
                    {"it": sides[0]}, sides[1], output, protocol=protocol, weights=networks
                ),
                lambda videos=videos: [ask(networks, some) for some in videos.split(SIZE)],
                lambda paths=paths: [ask(networks, as_video(read_video(path).frames)[None]) for path in paths],
            )
            rows.append([measured(way) for way in ways[: None if number % 5 == 0 else 2]])
            print(number, rows[-1], flush=True)
    ratios = []
    for way in range(len(WAYS)):
        mine = [row for row in rows if way < len(row)]
        ratios.append([f"{ratio:.3f}" for ratio in sum(row[way] for row in mine) / sum(row[0] for row in mine)])
    head = ["way", "time of the process", "time of the clock"]
    print(table("evaluation_networks/cost", [head, *([w, *r] for w, r in zip(WAYS, ratios, strict=True))]))
    print(f"{options.clips} clips against as many; {sum(row[0][0] for row in rows):.0f} s of the networks alone")


if __name__ == "__main__":
    main()
