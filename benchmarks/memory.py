"""Predicted and measured peaks of resident memory, each in a fresh process.

Without arguments: the bundled model at two sizes and precisions; folders of other models may be named. The measured
peak is the command's own, from the JSON beside its video.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from results import table

SECONDS = 2.0
RATE = 16000


def measure(home: Path, model: str, method: str, size: str, dtype: str) -> tuple[float, float]:
    """Predicted and measured bytes of one run of ``asva sample``."""
    output = home / "out.mp4"
    words = ["--image", home / "picture.png", "--audio", home / "sound.wav", "--model", model, "--output", output]
    words += ["--size", size, "--dtype", dtype, "--device", "cpu", "--offload", "none", "--steps", "2", "--overwrite"]
    words += ["--prompt", "a ball bounces"] + (["--interp-steps", "2", "--uniform"] if method == "keyvid" else [])
    run = [sys.executable, "-m", "asva", "sample", *map(str, words)]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))["memory"]
    return told["predicted_bytes"], told["measured_bytes"]


def inputs(home: Path) -> None:
    """A picture and a sound of noise."""
    import wave

    from PIL import Image

    draw = np.random.default_rng(0)
    Image.fromarray(draw.integers(0, 255, (256, 256, 3), dtype=np.uint8)).save(home / "picture.png")
    with wave.open(str(home / "sound.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(draw.integers(-9000, 9000, round(SECONDS * RATE), dtype=np.int16).tobytes())


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["tiny"], help="names or folders")
    parser.add_argument("--sizes", nargs="+", default=["64x64", "128x128"])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    given = parser.parse_args()
    from asva_pipelines import resolve_model
    from asva_pipelines.loading.folders import method_of_model

    rows = [("model", "method", "size", "precision", "predicted", "measured", "predicted / measured")]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        inputs(home)
        for model in given.models:
            method = method_of_model(resolve_model(model)).name
            for size in given.sizes:
                for dtype in given.dtypes:
                    foreseen, seen = measure(home, model, method, size, dtype)
                    cells = (Path(model).name, method, size, dtype, f"{foreseen / 1e6:.0f} MB", f"{seen / 1e6:.0f} MB")
                    rows.append((*cells, f"{foreseen / seen:.2f}"))
                    print(" | ".join(rows[-1]), flush=True)
    print(table("memory/peaks", rows))


if __name__ == "__main__":
    main()
