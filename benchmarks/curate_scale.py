"""Two workers on Ray against one: wall time, and what is left of it where the cores are not free, CPU time.

Makes copies of a folder's clips under other names, curates them with one worker in one process, then with one and with
two on Ray, and sees that measurements, reasons and clips are the same, byte for byte. The wall times mean something on
cores that nothing else uses; the CPU times do anyway: what two workers and Ray's own processes burn beside one.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from asva_curate import judge, load_recipe, measure_files, measure_safely, sources, write_results
from asva_data.listing import video_files
from asva_data.many import ray_running

RESULTS = ("measurements.parquet", "reasons.csv", "clips.csv", "counts.json")


class Cost(NamedTuple):
    """Of a run: seconds on the clock, CPU seconds of this process, of the workers, and of Ray's own processes."""

    wall: float
    driver: float
    workers: float
    ray: float


class Meter:
    """CPU time of this process and of all its children, sampled, since children of children report to nobody."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[str, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Meter:
        self.begin, self.own = time.monotonic(), time.process_time()
        self.before = dict(self._now())
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self.seen |= self._now()
        spent = {pid: (name, used - self.before.get(pid, (name, 0.0))[1]) for pid, (name, used) in self.seen.items()}
        workers = sum(used for name, used in spent.values() if "_Worker" in name)
        rest = sum(used for name, used in spent.values()) - workers
        self.cost = Cost(time.monotonic() - self.begin, time.process_time() - self.own, workers, rest)

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self.seen |= self._now()

    def _now(self) -> dict[int, tuple[str, float]]:
        found = {}
        for child in psutil.Process(os.getpid()).children(recursive=True):
            try:
                times, name = child.cpu_times(), " ".join(child.cmdline())
                found[child.pid] = (name or child.name(), times.user + times.system)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


def curate(raw: Path, out: Path, workers: int, address: str | None = None) -> None:
    """A curation without on-screen text, results in `out`; with an address on Ray, even by one worker."""
    recipe, files = load_recipe("open-asva"), sources(video_files(raw), raw)
    out.mkdir()
    (measured,) = measure_files([(raw, files)], out / "records", workers=workers, ray_address=address)
    write_results(out, measured, judge(measured, recipe), recipe)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of videos")
    parser.add_argument("--num", type=int, default=131, help="files of it")
    parser.add_argument("--copies", type=int, default=1, help="of each")
    options = parser.parse_args()
    costs: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as home:
        raw = Path(home) / "raw"
        for copy in range(options.copies):
            (raw / f"copy{copy}").mkdir(parents=True)
            for path in video_files(options.clips)[: options.num]:
                (raw / f"copy{copy}" / path.name).symlink_to(path.resolve())
        measure_safely(video_files(raw)[0])  # what is loaded at first use shall not count
        with Meter() as meter:
            curate(raw, Path(home) / "alone", 1)
        costs["in this process"] = meter.cost
        for workers in (1, 2):
            with ray_running(workers, None):
                with Meter() as meter:
                    curate(raw, Path(home) / f"ray{workers}", workers, "auto")
                costs[f"Ray, {workers} workers"] = meter.cost
        count = len(video_files(raw))
        for name in RESULTS:
            contents = {(Path(home) / run / name).read_bytes() for run in ("alone", "ray1", "ray2")}
            print(f"{name}: {'the same' if len(contents) == 1 else 'NOT THE SAME'}")
    base = costs["in this process"]
    print(f"\n{count} files; ratios to the run in this process")
    print("\n| run | wall | CPU of all | of the driver | of the workers | of Ray itself |\n|---|---|---|---|---|---|")
    for name, cost in costs.items():
        total = cost.driver + cost.workers + cost.ray
        shares = (cost.wall / base.wall, *(x / base.driver for x in (total, cost.driver, cost.workers, cost.ray)))
        print(f"| {name} | " + " | ".join(f"{share:.2f}" for share in shares) + " |")
    one, two = costs["Ray, 1 workers"], costs["Ray, 2 workers"]
    print(f"\ntwo workers on Ray: {one.wall / two.wall:.2f} times one on Ray, {base.wall / two.wall:.2f} without it")


if __name__ == "__main__":
    main()
