"""The evaluation from folders to tables: plan, measure with one or several processes, add up."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asva_data.many import only_run
from asva_eval.conventions import Conventions
from asva_eval.matching import MatchError, match_folders, read_manifest
from asva_eval.measuring import Measurer, observations_of
from asva_eval.plan import ClipPlan, ClipTask, make_plan
from asva_eval.protocol import Protocol, load_protocol
from asva_eval.records import REFERENCE, MeasuredClip, RecordStore, with_strangers
from asva_eval.scores import choose
from asva_eval.shared_offset import is_shared, moved_plan, shared_offsets
from asva_eval.weights import Networks
from asva_metrics import OffsetReading

OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """Folders that were measured.

    Attributes:
        protocol: The protocol.
        plan: Clips, and what was left out.
        store: Their records.
        networks: Networks of the scores.
        folders: Folder of each system, and of the reference.
        shard: Which part of how many was measured; (0, 1) is all.
        offsets: What the clips of each system say of the offset that they share.
        moved: The same clips with their sound moved by it, if any system shares one that viewers may notice.
    """

    protocol: Protocol
    plan: ClipPlan
    store: RecordStore
    networks: Networks
    folders: dict[str, Path]
    shard: tuple[int, int] = (0, 1)
    offsets: Mapping[str, OffsetReading] = field(default_factory=dict)
    moved: Evaluation | None = None

    def clips(self, system: str) -> list[MeasuredClip]:
        """The clips of a system (or of "reference" itself) that could be read on both sides, with their strangers."""
        found = []
        for task in self.plan.tasks:
            if system != REFERENCE and system not in task.generated:
                continue
            reference = self.store.load(REFERENCE, task.key, lean=True)
            generated = reference if system == REFERENCE else self.store.load(system, task.key, lean=True)
            if generated and reference and not generated.problem and not reference.problem:
                found.append(MeasuredClip(task.key, task.video, task.class_name, task.text, generated, reference))
        return with_strangers(found, self.protocol.num_strangers)

    def broken(self) -> Iterator[tuple[str, str, str]]:
        """(side, file, reason) of clips that could not be read."""
        yield from self.plan.left_out
        for task in self.plan.tasks:
            for side in (REFERENCE, *task.generated):
                record = self.store.load(side, task.key, lean=True)
                if record is None:
                    yield side, task.key, "not measured yet"
                elif record.problem:
                    yield side, task.key, record.problem

    @property
    def complete(self) -> bool:
        """Whether every clip has its records."""
        sides = ((side, task.key) for task in self.plan.tasks for side in (REFERENCE, *task.generated))
        return all(self.store.path(side, key).is_file() for side, key in sides)


def evaluate(
    generated: Mapping[str, Path],
    reference: Path,
    output: Path,
    *,
    protocol: Protocol | str | Path = "asva-fixed",
    weights: Mapping[str, Any] | None = None,
    manifest: Path | Mapping[str, Path] | None = None,
    videos: Mapping[Path, str] | None = None,
    device: str = "cpu",
    workers: int = 1,
    shard: tuple[int, int] = (0, 1),
    on_step: OnStep | None = None,
) -> Evaluation:
    """Measure the clips of one or several systems against true ones.

    Records are written to ``output/clips`` as they come: what a run that was stopped, or one with fewer weights, has
    left there is not measured again. `asva_eval.write_report` makes the report of the result.

    Args:
        generated: Folder of each system, by a name of letters, digits, ``._-``.
        reference: Folder of the true files.
        output: Folder to write to; made if it is missing.
        protocol: A protocol, its name, or the path of its YAML file.
        weights: Files of networks, or networks in memory, by name, see `asva_eval.weights.KINDS`.
        manifest: Table that matches files, see `read_manifest`, of all systems or by their names; others are matched
            by the names of their files.
        videos: True files that count, with their classes, see `match_folders`; None is all.
        device: Where networks run.
        workers: Processes; the numbers do not depend on it. With several, a script needs the usual guard
            ``if __name__ == "__main__":``.
        shard: (i, n): only every n-th clip from the i-th on, for n machines that share the output folder.
        on_step: Called with the stage, the steps done, and all of them.

    Returns:
        The evaluation, from which reports are made.

    Raises:
        MatchError: If folders, manifest and names do not fit.
        ProtocolError: If the protocol cannot be read.
        WeightsError: If weights are unknown or missing.
        ValueError: If a number is out of range.
    """
    protocol = protocol if isinstance(protocol, Protocol) else load_protocol(protocol)
    if any(score.chances for score in protocol.scores) and "motion" not in [s.name for s in protocol.scores]:
        # No score of synchronization is printed without the amount of motion beside it.
        protocol = replace(protocol, scores=(choose("motion"), *protocol.scores))
    _check(generated, output, workers, shard)
    networks = Networks(weights, device)
    tables = manifest if isinstance(manifest, Mapping) else dict.fromkeys(generated, manifest)
    if unknown := [name for name in tables if name not in generated]:
        raise MatchError(f"`manifest` must name systems, got {unknown[0]}, which is none of {', '.join(generated)}.")
    matchings = {
        name: match_folders(Path(folder), Path(reference), videos)
        if (table := tables.get(name)) is None
        else read_manifest(table, Path(folder), Path(reference))
        for name, folder in generated.items()
    }
    say = on_step or (lambda stage, done, total: None)
    plan = make_plan(matchings, Path(reference), protocol, lambda done, total: say("looking at files", done, total))
    store = RecordStore(Path(output) / "clips")
    tasks = plan.tasks[shard[0] :: shard[1]]
    # Workers are sent the conventions alone: scores may be functions that have no name.
    measurer = Measurer(Conventions(**protocol.record()), observations_of(protocol, networks), store, networks)
    store.root.mkdir(parents=True, exist_ok=True)
    folders = {name: Path(folder) for name, folder in generated.items()} | {REFERENCE: Path(reference)}
    with only_run(store.root) if shard == (0, 1) else nullcontext():  # else others measure other clips there
        _measure(tasks, measurer, workers, lambda done: say("measuring clips", done, len(tasks)))
        found = Evaluation(protocol, plan, store, networks, folders, shard)
        if shard[1] > 1 or protocol.sound == REFERENCE:
            return found
        return _with_offsets(found, measurer, workers, lambda d, t: say("measuring clips without their offsets", d, t))


def _with_offsets(found: Evaluation, measurer: Measurer, workers: int, say: Callable[[int, int], None]) -> Evaluation:
    """The evaluation with its offsets, and where one is shared every system measured again without its own."""
    found = replace(found, offsets=shared_offsets({s: found.clips(s) for s in found.plan.systems}, found.networks))
    if not any(map(is_shared, found.offsets.values())):
        return found
    plan = moved_plan(found.plan, found.offsets)
    heard = replace(found.protocol, scores=tuple(score for score in found.protocol.scores if score.chances))
    measurer = replace(measurer, observations=observations_of(heard, found.networks))
    _measure(plan.tasks, measurer, workers, lambda done: say(done, len(plan.tasks)))
    return replace(found, moved=replace(found, protocol=heard, plan=plan))


def _check(generated: Mapping[str, Path], output: Path, workers: int, shard: tuple[int, int]) -> None:
    if not generated:
        raise MatchError("`generated` must name at least one folder, got none.")
    for name in generated:
        if name == REFERENCE or not name or not all(c.isalnum() or c in "._-" for c in name) or name.startswith("."):
            raise MatchError(
                f"`generated` must be named with letters, digits and ._- and not '{REFERENCE}', got '{name}'."
            )
    if workers < 1:
        raise ValueError(f"`workers` must be at least 1, got {workers}.")
    if not 0 <= shard[0] < shard[1]:
        raise ValueError(f"`shard` must be i/n with i from 0 to n - 1, got {shard[0]}/{shard[1]}.")
    Path(output).mkdir(parents=True, exist_ok=True)


def _measure(tasks: list[ClipTask], measurer: Measurer, workers: int, on_clip: Callable[[int], None]) -> None:
    if workers == 1 or len(tasks) < 2:
        with _one_thread():
            for done, _ in enumerate(measurer.measure(tasks), start=1):
                on_clip(done)
        return
    spawn = multiprocessing.get_context("spawn")  # decoders and devices do not survive a fork
    with ProcessPoolExecutor(min(workers, len(tasks)), spawn, _begin, (measurer, workers)) as pool:
        futures = [pool.submit(_measure_one, task) for task in tasks]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                on_clip(done)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _one_thread() -> Generator[None]:
    """OpenCV on one thread, as in the workers: its sums depend on their number in the last digits."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


_MEASURER: list[Measurer] = []
"""The measurer of a worker process."""


def _begin(measurer: Measurer, workers: int) -> None:
    import os

    import cv2
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    cv2.setNumThreads(1)
    _MEASURER[:] = [measurer]


def _measure_one(task: ClipTask) -> None:
    list(_MEASURER[0].measure([task]))
