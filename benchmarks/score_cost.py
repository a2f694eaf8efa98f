"""What each score costs a clip: CPU seconds of those without weights, sizes of the networks of the others.

    OMP_NUM_THREADS=1 python benchmarks/score_cost.py

One drawn clip of 2 s at 24 frames per second and 256 x 256 pixels, one thread, the lesser of two runs; what a score
shares with others, such as flow, is counted for each. Networks are built without weights, to count their parameters.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from results import table

from asva_data import SyntheticWorld, write_video
from asva_eval.cutting import cut_clip
from asva_eval.protocol import load_protocol
from asva_eval.scores import SCORES, choose
from asva_eval.weights import Networks, bundled


def networks() -> dict[str, int]:
    """Parameters of the released networks by the names of their weights."""
    import asva_metrics as m

    makers = {
        "inception": m.FIDInception,
        "i3d": m.I3D,
        "avsync": m.AVSyncClassifier,
        "synchformer": m.Synchformer,
        "syncnet": m.SyncNet,
        "lpips_trunk": m.LPIPSTrunk,
        "lpips_heads": m.LPIPSHeads,
    }
    found = {}
    for name, make in makers.items():
        with torch.device("meta"):
            found[name] = sum(p.numel() for p in make().parameters())
    return found


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.set_grad_enabled(False)
    protocol, given = load_protocol("asva-fixed"), Networks({}, "cpu")
    clip = SyntheticWorld(5, classes=["hammer"])[0]
    frames = np.stack([cv2.resize(frame, (256, 256)) for frame in clip.frames])
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(
            Path(folder) / "a.mp4", frames, fps=clip.fps, waveform=clip.waveform, sample_rate=clip.sample_rate
        )
        cut = cut_clip(path, 0.0, protocol)
    rows, sizes = [("score", "CPU seconds a clip", "million parameters")], networks()
    for score in map(choose, SCORES):
        needs = [name for name in score.needs if name not in (*bundled(), "tokenizer", "faces")]
        if needs:
            known = [sizes[name] for name in needs] if sizes.keys() >= set(needs) else []
            rows.append((score.settings["score"], "-", f"{sum(known) / 1e6:.1f}" if known else "not counted"))
            continue
        best = float("inf")
        for _ in range(2):
            began = time.process_time()
            for one in score.observed(protocol):
                one.observe(cut, cut, given)
            best = min(best, time.process_time() - began)
        rows.append((score.settings["score"], f"{best:.2f}", "-"))
    print(table("score_cost/clip", rows))


if __name__ == "__main__":
    main()
