"""Records of clips: a small JSON for each clip of each side, its tensors beside it, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from asva_data.draft import draft_of
from asva_eval.observations import Observation, Observed

REFERENCE = "reference"
"""Name of the side of the true clips."""
FORM = 4
"""Raise it when observations find something else: older records are then made anew."""
FOR_THE_EYE = ("envelope", "profile")
"""Facts that no score needs, left out of what stays in memory."""


class Undefined(ValueError):
    """A score that a clip does not define; the message is the reason."""


@dataclass
class Record:
    """What was observed in one clip of one file.

    Attributes:
        path: Where the JSON lies.
        head: File, hash, start, size, rates; ``problem`` is why the clip could not be read, or an empty string.
        observed: Facts by the key of their observation.
    """

    path: Path
    head: dict[str, Any]
    observed: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """Why the clip could not be read, or an empty string."""
        return self.head.get("problem", "")

    def facts(self, observation: Observation) -> dict[str, Any]:
        """What an observation found.

        Raises:
            Undefined: If it found nothing, or was not made.
        """
        found = self.observed.get(observation.key)
        if found is None:
            raise Undefined(self.problem or "not observed")
        if "reason" in found:
            raise Undefined(found["reason"])
        return found

    def tensor(self, observation: Observation, name: str) -> np.ndarray:
        """A tensor of an observation, read from its file each time.

        Raises:
            Undefined: As `facts`.
        """
        from safetensors import safe_open

        self.facts(observation)
        with safe_open(self.path.with_suffix(".safetensors"), framework="numpy") as file:
            return file.get_tensor(f"{observation.key}/{name}")

    def write(self, found: Mapping[str, Observed]) -> None:
        """Add observations and put the files in place, tensors first."""
        tensors = {f"{key}/{name}": value for key, one in found.items() for name, value in one.tensors.items()}
        if tensors:
            from safetensors.numpy import load_file, save

            place = self.path.with_suffix(".safetensors")
            old = load_file(place) if place.is_file() else {}
            new = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
            with draft_of(place) as draft:
                draft.write_bytes(save(old | new))
        self.observed |= {key: one.facts for key, one in found.items()}
        with draft_of(self.path) as draft:
            draft.write_text(
                json.dumps({"head": self.head, "observed": self.observed}, allow_nan=False), encoding="utf-8"
            )


class RecordStore:
    """The folder of records of one evaluation."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, side: str, key: str) -> Path:
        """Where the record of a clip lies."""
        return self.root / side / f"{key}.json"

    def load(self, side: str, key: str, *, lean: bool = False) -> Record | None:
        """The record of a clip, or None where none can be read; ``lean`` leaves out what is for the eye."""
        path = self.path(side, key)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            record = Record(path, content["head"], content["observed"])
            for facts in record.observed.values() if lean else ():
                for name in FOR_THE_EYE:
                    facts.pop(name, None)
                for name, value in facts.items():
                    facts[name] = np.asarray(value) if isinstance(value, list) else value  # a third of the memory
            return record
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def new(self, side: str, key: str, head: dict[str, Any]) -> Record:
        """An empty record that is not written yet; its folder is made, and an older one is removed."""
        path = self.path(side, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in (path, path.with_suffix(".safetensors")):
            old.unlink(missing_ok=True)
        return Record(path, head)


@dataclass(frozen=True)
class MeasuredClip:
    """One generated clip beside its true one, as scores see it.

    Attributes:
        key: Name of the clip.
        video: True file, below its folder; clips of one video are not independent.
        class_name: Class, as written.
        text: What text scores compare with.
        generated: Record of the generated clip.
        reference: Record of the true clip.
        strangers: Records of other videos' clips, whose sounds make the swapped chance level.
    """

    key: str
    video: str
    class_name: str
    text: str
    generated: Record
    reference: Record
    strangers: tuple[Record, ...] = ()


def with_strangers(clips: list[MeasuredClip], count: int) -> list[MeasuredClip]:
    """Give every clip the sounds of up to ``count`` others, evenly spread over the list and of other videos."""
    total = len(clips)
    steps = dict.fromkeys(round(total * (i + 1) / (count + 1)) for i in range(count))

    def others(place: int) -> tuple[Record, ...]:
        found = {}
        for step in steps:
            candidates = (clips[(place + step + more) % total] for more in range(total))
            other = next((clip for clip in candidates if clip.video != clips[place].video), None)
            if other is not None:
                found[other.key] = other.generated
        return tuple(found.values())

    return [replace(clip, strangers=others(place)) for place, clip in enumerate(clips)]
