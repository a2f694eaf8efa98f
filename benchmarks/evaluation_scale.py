"""Whether an evaluation stays small: peak memory for few and for many clips, and two processes against one.

    OMP_NUM_THREADS=1 python benchmarks/evaluation_scale.py                          100 and 1,000 clips at 24 fps
    OMP_NUM_THREADS=1 python benchmarks/evaluation_scale.py --clips 25 100 --fps 6   a few minutes

Clips of 2 s, 256 x 256 pixels, are made here: 10 different ones, of which the others are hard links. Every run is a
process of its own, on fresh records. Memory is the peak resident set; time is that of measuring, as a ratio: it says
something only where as many cores are free as there are processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RATE, SECONDS, SIDE, DISTINCT = 16000, 2.0, 256, 10


def make_clips(folder: Path, count: int, fps: int, seed: int) -> Path:
    """``count`` clips of a disc that jumps when it knocks, over a drifting texture."""
    from asva_data import write_video

    folder.mkdir(parents=True)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    for number in range(min(count, DISTINCT)):
        draws = np.random.default_rng([seed, number])
        knocks = np.sort(draws.uniform(0.1, SECONDS - 0.1, 4))
        sound, frames = np.zeros(round(RATE * SECONDS)), []
        for knock in knocks:
            sound[round(knock * RATE) :][:600] += draws.normal(size=600)[: len(sound) - round(knock * RATE)] / 8
        places = draws.uniform(0.2, 0.8, (len(knocks) + 1, 2))
        for time in np.arange(round(SECONDS * fps)) / fps:
            row, column = places[np.searchsorted(knocks, time)]
            grey = 90 + 40 * np.sin(20 * x + time) * np.cos(15 * y)
            grey = np.where(np.hypot(y - row, x - column) < 0.12, 220, grey)
            frames.append(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8))
        write_video(folder / f"{number:04}.mp4", np.stack(frames), fps=fps, waveform=sound, sample_rate=RATE)
    for number in range(DISTINCT, count):
        os.link(folder / f"{number % DISTINCT:04}.mp4", folder / f"{number:04}.mp4")
    return folder


def measure(generated: Path, reference: Path, output: Path, workers: int) -> None:
    """Evaluate in this process and print what it took."""
    import resource
    import time

    from asva_eval import evaluate, write_report

    began: list[float] = []

    def on_step(stage: str, done: int, total: int) -> None:
        if stage == "measuring clips" and not began:
            began.append(time.perf_counter())  # after the first clip, so that imports do not count

    result = evaluate({"it": generated}, reference, output, protocol="asva-fixed", workers=workers, on_step=on_step)
    wall = time.perf_counter() - began[0]
    report = write_report(result, output, command=[])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    workers_peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    scores = [{k: v for k, v in score.items() if k != "settings"} for score in report["scores"]]
    sys.stdout.write(json.dumps({"peak": max(peak, workers_peak), "wall": wall, "scores": scores}) + "\n")


def run(home: Path, count: int, workers: int) -> dict:
    """`measure` in a process of its own."""
    words = [str(home / f"made{count}"), str(home / f"true{count}"), str(home / f"out{count}-{workers}"), str(workers)]
    command = [sys.executable, __file__, "--measure", *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs=2, default=(100, 1000), help="Few and many.")
    parser.add_argument("--fps", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        generated, reference, output, workers = options.measure
        measure(Path(generated), Path(reference), Path(output), int(workers))
        return
    few, many = options.clips
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for count in (few, many):
            make_clips(home / f"true{count}", count, options.fps, 0)
            make_clips(home / f"made{count}", count, options.fps, 1)
        one, several = run(home, few, 1), run(home, few, options.workers)
        whole = run(home, many, 1)
    sys.stdout.write(
        "| what | figure |\n|---|---|\n"
        f"| peak memory, {many} clips over {few} | {whole['peak'] / one['peak']:.3f} |\n"
        f"| measuring {few} clips, {options.workers} processes over 1, wall time | "
        f"{several['wall'] / one['wall']:.2f} |\n"
        f"| figures of {options.workers} processes equal those of 1 | {several['scores'] == one['scores']} |\n"
    )


if __name__ == "__main__":
    main()
