"""Which pictures the bundled model is taken for: drawn ones against first frames of recordings, as a confusion table.

Recordings are found in ``ASVA_CLIPS_DIR`` (default ``../shared/clips`` beside the repository), folder ``real``. Drawn
pictures are first frames of the synthetic world with a seed that no training has seen; 25 of them once more behind
H.264 at a coarse ``crf`` of 35.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from results import table
from scipy.stats import binomtest

from asva_data import MediaError, SyntheticWorld, first_frame, write_video
from asva_pipelines.make.default_method import ALIKE, RESTORED, evenness, restoration

CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", Path(__file__).resolve().parents[2] / "shared" / "clips"))


def real_pictures() -> list[np.ndarray]:
    """First frames of the recordings."""
    found = []
    for path in sorted((CLIPS / "real").glob("*.mp4")):
        try:
            found.append(first_frame(path, 0.0))
        except MediaError as error:
            print(f"left out {path.name}: {error}")
    return found


def coarse(frames: np.ndarray) -> np.ndarray:
    """The first of some frames, as a coarse video shows it."""
    with TemporaryDirectory() as folder:
        write_video(Path(folder) / "clip.mp4", frames[:6], fps=24, crf=35)
        return first_frame(Path(folder) / "clip.mp4", 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drawn", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1_000_001)
    arguments = parser.parse_args()
    world = SyntheticWorld(arguments.seed)
    drawn = [world[index].frames[0] for index in range(arguments.drawn)]
    heads = ["taken for `tiny`", "taken for `warp`", "share of errors", "told without the autoencoder"]
    rows = [["pictures", *heads, "neighbours alike, least", "restored to, dB: 1 %, 50 %, 99 %"]]
    kinds = {"drawn": drawn, "drawn, H.264": [coarse(world[index].frames) for index in range(25)]}
    for name, pictures in (kinds | {"recordings": real_pictures()}).items():
        wrong = name == "recordings"
        values = [restoration(picture) for picture in pictures]
        alike = np.array([evenness(picture) for picture in pictures])
        uneven = alike < ALIKE
        known = ~uneven & (np.asarray(values) >= RESTORED)
        errors = int((known == wrong).sum())
        low, high = binomtest(errors, len(known)).proportion_ci(method="wilson")
        quantiles = ", ".join(f"{value:.1f}" for value in np.quantile(values, (0.01, 0.5, 0.99)))
        share = f"{100 * errors / len(known):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        told = f"{100 * uneven.mean():.0f} %"
        rows.append(
            [
                f"{len(known)} {name}",
                str(known.sum()),
                str((~known).sum()),
                share,
                told,
                f"{alike.min():.2f}",
                quantiles,
            ]
        )
    print(table("default_method/choice", rows))


if __name__ == "__main__":
    main()
