"""The offset that the clips of a system share, read from their records, and the plan of the same clips without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from asva_eval.network_observations import SmallSyncFeatures
from asva_eval.observations import LocalSignals
from asva_eval.plan import ClipPlan
from asva_eval.records import MeasuredClip, Record, Undefined
from asva_eval.score import finite_or_none
from asva_eval.weights import Networks
from asva_metrics import OffsetReading, local_sync_profile, profile_of_scores, read_offset
from asva_metrics.offset import NEAR, SHIFTS, joined_profiles


def shared_offsets(clips: Mapping[str, Sequence[MeasuredClip]], networks: Networks) -> dict[str, OffsetReading]:
    """What the clips of each system say together; none of a system whose records do not hold what it takes."""
    found = {}
    for system, measured in clips.items():
        evidence = [one for clip in measured if (one := _evidence(clip.generated, networks)) is not None]
        if evidence:
            found[system] = read_offset(evidence)
    return found


def is_shared(reading: OffsetReading) -> bool:
    """Whether the clips share an offset that viewers may notice."""
    return not reading.reason and abs(reading.offset) >= NEAR and reading.low * reading.high > 0


def moved_plan(plan: ClipPlan, offsets: Mapping[str, OffsetReading]) -> ClipPlan:
    """The clips of the systems whose offset could be read, with their sound moved to where it fits."""
    read = {system: one.offset for system, one in offsets.items() if not one.reason}
    tasks = []
    for task in plan.tasks:
        moved = {
            moved_side(system): replace(place, sound_offset=round(read[system], 3))
            for system, place in task.generated.items()
            if system in read
        }
        tasks += [replace(task, generated=moved)] if moved else []
    return ClipPlan(tasks, [moved_side(system) for system in plan.systems if system in read], [], {})


def moved_side(system: str) -> str:
    """Name of the records of a system whose sound is moved; no system can have it."""
    return f"{system} moved"


def offset_record(reading: OffsetReading) -> dict[str, Any]:
    """A reading as it stands in reports."""
    values = {name: finite_or_none(v) if isinstance(v, float) else v for name, v in asdict(reading).items()}
    return values | {"shared": is_shared(reading)}


def _evidence(record: Record, networks: Networks) -> np.ndarray | None:
    local, learned = LocalSignals(), SmallSyncFeatures()
    try:
        heard = local_sync_profile(
            record.tensor(local, "growth"), record.tensor(local, "changes"), record.facts(local)["fps"]
        )
        vectors = record.tensor(learned, "sound"), record.tensor(learned, "video")
        scores = networks.small_profile(*vectors, SHIFTS.tolist())
        return joined_profiles(profile_of_scores(SHIFTS, scores), heard)
    except (Undefined, ValueError):  # nothing to be seen or heard, or too short for the search
        return None
