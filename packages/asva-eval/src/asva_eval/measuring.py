"""Measuring one clip of every side: what is recorded already stays, what is missing is observed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from asva_eval.conventions import Conventions
from asva_eval.cutting import Cut, cut_clip
from asva_eval.observations import Observation, Observed
from asva_eval.plan import ClipPlace, ClipTask
from asva_eval.protocol import Protocol
from asva_eval.records import FORM, REFERENCE, Record, RecordStore
from asva_eval.weights import Networks, WeightsError
from asva_weights.files import file_digest


def observations_of(protocol: Protocol, networks: Networks) -> list[Observation]:
    """What every clip is looked at for: once each, and only with networks that are there."""
    asked = {o.key: o for score in protocol.scores for o in score.observed(protocol)}
    return [o for o in asked.values() if not networks.missing(o.needs)]


@dataclass(frozen=True)
class _Side:
    """One side of a clip: its record, what that lacks, the clip if it can be read, and the true one."""

    record: Record
    missing: list[Observation]
    cut: Cut | None
    reference: Cut | None


@dataclass
class Measurer:
    """Fills the store with the records of clips.

    Attributes:
        protocol: How clips are taken.
        observations: What is observed in them.
        store: Where records lie.
        networks: Those that observations may use.
    """

    protocol: Conventions
    observations: Sequence[Observation]
    store: RecordStore
    networks: Networks
    _digests: dict[Path, str] = field(default_factory=dict)

    def measure(self, tasks: Iterable[ClipTask]) -> Iterator[ClipTask]:
        """Bring the records of clips up to date, each of which is given back when that is done.

        The next file is decoded while networks look at the last one.
        """
        for task, side in _one_ahead(chain.from_iterable(map(self._sides, tasks))):
            if side is None:
                yield task
            elif side.cut is None:
                side.record.write({})
            elif side.missing or not side.record.path.is_file():
                found = {o.key: self._observe(o, side.cut, side.reference) for o in side.missing}
                side.record.write(found)

    def _sides(self, task: ClipTask) -> Iterator[tuple[ClipTask, _Side | None]]:
        """What has to be looked at in a clip, read from its file; None behind the last side."""
        sides = {REFERENCE: task.reference, **task.generated}
        records = {side: self._record(side, task.key, place) for side, place in sides.items()}
        missing = {side: self._missing(side, record) for side, record in records.items()}
        # The true clip is read too where only a generated one lacks something that needs it.
        across = any(
            found and (self.protocol.sound == REFERENCE or any(o.pair for o in found)) for found in missing.values()
        )
        reference = None
        for side, place in sides.items():
            if not missing[side] and records[side].path.is_file() and not (side == REFERENCE and across):
                continue
            cut = self._cut(records[side], place, reference)
            yield task, _Side(records[side], missing[side], cut, reference)
            if side == REFERENCE:
                reference = cut
        yield task, None

    def _record(self, side: str, key: str, place: ClipPlace) -> Record:
        """The record that is there, if it is of the same file, clip and protocol; else a new one."""
        head = {
            "form": FORM,
            "cut": self.protocol.cut_digest,
            "file": str(place.path),
            "sha256": self._digest(place.path),
            "start": round(place.start, 6),
            **({"sound_offset": place.sound_offset} if place.sound_offset else {}),
        }
        old = self.store.load(side, key)
        if old is not None and all(old.head.get(name) == value for name, value in head.items() if name != "file"):
            return old
        return self.store.new(side, key, head)

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = file_digest(path)
        return self._digests[path]

    def _missing(self, side: str, record: Record) -> list[Observation]:
        """What was not observed yet, or with other weights."""
        if record.problem:
            return []

        def stale(observation: Observation) -> bool:
            found = record.observed.get(observation.key)
            return found is None or found.get("weights", {}) != self._weights(observation)

        return [o for o in self.observations if stale(o) and not (o.pair and side == REFERENCE)]

    def _weights(self, observation: Observation) -> dict[str, str]:
        return {name: self.networks.digests[name] for name in observation.needs}

    def _cut(self, record: Record, place: ClipPlace, reference: Cut | None) -> Cut | None:
        sound_from = reference if self.protocol.sound == REFERENCE else None
        try:
            cut = cut_clip(
                place.path, place.start, self.protocol, sound_from=sound_from, sound_offset=place.sound_offset
            )
        except (ValueError, OSError) as error:
            record.head["problem"] = str(error)
            return None
        height, width = cut.size
        record.head["clip"] = {
            "seconds": cut.seconds,
            "height": height,
            "width": width,
            "fps": cut.moving_fps,
            "num_frames": len(cut.moving),
            "sample_rate": cut.sample_rate,
        }
        return cut

    def _observe(self, observation: Observation, cut: Cut, reference: Cut | None) -> Observed:
        """What is found, or the reason why nothing is; with the hashes of the weights that were used."""
        try:
            if observation.pair and reference is None:
                raise ValueError("the true clip cannot be read")
            found = self._find(observation, cut, reference)
        except WeightsError:  # no fault of the clip: it would be nan everywhere
            raise
        except (ValueError, OSError) as error:
            found = Observed({"reason": str(error)})
        weights = self._weights(observation)
        return Observed(found.facts | ({"weights": weights} if weights else {}), found.tensors)

    def _find(self, observation: Observation, cut: Cut, reference: Cut | None) -> Observed:
        if observation.needs:
            import torch

            with torch.inference_mode():
                found = observation.observe(cut, reference, self.networks)
        else:
            found = observation.observe(cut, reference, self.networks)
        numbers = [value for value in found.facts.values() if isinstance(value, float)]
        if not all(map(math.isfinite, numbers)) or not all(np.isfinite(x).all() for x in found.tensors.values()):
            raise ValueError("the network or the measurement gave NaN or infinity")
        return found


def _one_ahead(items: Iterator[Any]) -> Iterator[Any]:
    """The same items; while one is used, a thread makes the next."""
    end: Any = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item
