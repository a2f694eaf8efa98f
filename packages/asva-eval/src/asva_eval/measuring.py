"""Measuring one clip of every side: what is recorded already is kept, what is missing is observed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from asva_eval.cutting import Cut, cut_clip
from asva_eval.observations import Observation, Observed
from asva_eval.plan import Place, Task
from asva_eval.protocol import Protocol
from asva_eval.records import FORM, Record, Store
from asva_eval.weights import Networks
from asva_weights.files import file_digest

REFERENCE = "reference"
"""Name of the side of the true clips."""


@dataclass
class Measurer:
    """Fills the store with the records of clips.

    Attributes:
        protocol: What is observed and how.
        store: Where records lie.
        networks: Those that scores may use.
    """

    protocol: Protocol
    store: Store
    networks: Networks
    _digests: dict[Path, str] = field(default_factory=dict)

    @cached_property
    def observations(self) -> list[Observation]:
        """What every clip is looked at for: once each, and only with networks that are there."""
        wanted = {o.key: o for score in self.protocol.scores for o in score.observations(self.protocol)}
        return [o for o in wanted.values() if not self.networks.missing(o.needs)]

    def measure(self, task: Task) -> bool:
        """Bring the records of a clip up to date; whether anything was missing."""
        sides = {REFERENCE: task.reference, **task.generated}
        records = {side: self._record(side, task.key, place) for side, place in sides.items()}
        missing = {side: self._missing(side, record) for side, record in records.items()}
        if not any(missing.values()):
            return False
        reference = None
        for side, place in sides.items():
            reference_wanted = side == REFERENCE and any(missing[s] and self._looks_across(missing[s]) for s in sides)
            if not missing[side] and not reference_wanted:
                continue
            cut = self._cut(records[side], place, reference if side != REFERENCE else None)
            reference = cut if side == REFERENCE else reference
            if cut is not None and missing[side]:
                self._observe(records[side], missing[side], cut, None if side == REFERENCE else reference)
            elif cut is None:
                records[side].write({})
        return True

    def _looks_across(self, observations: list[Observation]) -> bool:
        return self.protocol.sound == "reference" or any(o.pair for o in observations)

    def _record(self, side: str, key: str, place: Place) -> Record:
        """The record that is there, if it is of the same file, clip and protocol; else a new one."""
        head = {
            "form": FORM,
            "cut": self.protocol.cut_digest,
            "file": str(place.path),
            "sha256": self._digest(place.path),
            "start": round(place.start, 6),
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
        if record.problem:
            return []
        usable = [o for o in self.observations if not (o.pair and side == REFERENCE)]
        return [o for o in usable if self._stale(record, o)]

    def _stale(self, record: Record, observation: Observation) -> bool:
        found = record.observed.get(observation.key)
        return found is None or found.get("weights", {}) != self._weights(observation)

    def _weights(self, observation: Observation) -> dict[str, str]:
        return {name: self.networks.digests[name] for name in observation.needs}

    def _cut(self, record: Record, place: Place, reference: Cut | None) -> Cut | None:
        sound_from = reference if self.protocol.sound == "reference" else None
        try:
            cut = cut_clip(place.path, place.start, self.protocol, sound_from=sound_from)
        except (ValueError, OSError) as error:
            record.head["problem"] = str(error)
            return None
        height, width = cut.moving.shape[1:3]
        record.head["clip"] = {
            "seconds": cut.seconds,
            "height": height,
            "width": width,
            "fps": cut.moving_fps,
            "num_frames": len(cut.moving),
            "sample_rate": cut.sample_rate,
        }
        return cut

    def _observe(self, record: Record, observations: list[Observation], cut: Cut, reference: Cut | None) -> None:
        found = {}
        for observation in observations:
            try:
                if observation.pair and reference is None:
                    raise ValueError("the true clip cannot be read")
                observed = self._look(observation, cut, reference)
            except (ValueError, OSError) as error:
                observed = Observed({"reason": str(error)})
            weights = self._weights(observation)
            facts = observed.facts | ({"weights": weights} if weights else {})
            found[observation.key] = Observed(facts, observed.tensors)
        record.write(found)

    def _look(self, observation: Observation, cut: Cut, reference: Cut | None) -> Observed:
        if observation.needs:
            import torch

            with torch.inference_mode():
                observed = observation.observe(cut, reference, self.networks)
        else:
            observed = observation.observe(cut, reference, self.networks)
        _check_finite(observed)
        return observed


def _check_finite(observed: Observed) -> None:
    numbers = [value for value in observed.facts.values() if isinstance(value, float)]
    if not all(map(math.isfinite, numbers)) or not all(np.isfinite(x).all() for x in observed.tensors.values()):
        raise ValueError("the network or the measurement gave NaN or infinity")
