"""Records become figures: each score of each system with its interval, chance levels and classes, and paired tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from asva_eval.distances import distance_entry
from asva_eval.engine import Evaluation
from asva_eval.observations import SOUNDLESS
from asva_eval.records import REFERENCE, MeasuredClip
from asva_eval.score import Contributions, Score, contributions, finite_or_none, scaled
from asva_eval.shared_offset import moved_side
from asva_eval.weights import KINDS
from asva_metrics import holm, paired_difference, ratio_interval

NUM_SAMPLES = 1000


def score_entries(evaluation: Evaluation, *, seed: int = 0) -> list[dict[str, Any]]:
    """An entry for each score of the protocol, as it stands in the report.

    Args:
        evaluation: Measured clips.
        seed: Of the resampling.
    """
    clips = {system: evaluation.clips(system) for system in (*evaluation.plan.systems, REFERENCE)}
    placed = enumerate(evaluation.protocol.scores)
    return [_entry(score, clips, evaluation, np.random.default_rng([seed, place])) for place, score in placed]


def moved_entries(evaluation: Evaluation, *, seed: int = 0) -> list[dict[str, Any]]:
    """For each score that depends on the sound, the figures of every system without its offset, by its name."""
    moved, found = evaluation.moved, []
    if moved is None:
        return found
    for place, score in enumerate(moved.protocol.scores):
        if not moved.networks.missing(score.needs):
            generator, systems = np.random.default_rng([seed, place]), {}
            for system in (name for name in evaluation.plan.systems if moved_side(name) in moved.plan.systems):
                clips = moved.clips(moved_side(system))
                table = contributions(score, clips, moved.protocol, moved.networks)
                systems[system] = _figures(score, clips, table, generator)
            found.append({"name": score.name, "title": score.title, "systems": systems})
    return found


def _entry(
    score: Score, clips: dict[str, list[MeasuredClip]], evaluation: Evaluation, generator: np.random.Generator
) -> dict[str, Any]:
    entry = score.describe()
    if missing := evaluation.networks.missing(score.needs):
        return entry | {"not_measured": _how_to_give(missing)}
    measure = _distance_entry if score.features else _clip_entry
    return entry | measure(score, clips, evaluation, generator)


def _how_to_give(missing: Sequence[str]) -> str:
    return "needs " + " and ".join(f"{KINDS[name].what} (--weights {name}=PATH)" for name in missing)


def _clip_entry(
    score: Score, clips: dict[str, list[MeasuredClip]], evaluation: Evaluation, generator: np.random.Generator
) -> dict[str, Any]:
    systems, tables = {}, {}
    for system, measured in clips.items():
        if not measured or (system == REFERENCE and not score.of_reference):
            continue
        table = contributions(score, measured, evaluation.protocol, evaluation.networks)
        tables[system] = (measured, table)
        systems[system] = _figures(score, measured, table, generator) | {
            "classes": _classes(score, measured, table, generator),
            **_per_clip(score, measured, table),
        }
    _advise(systems)
    return {"systems": systems, "comparisons": _comparisons(score, tables, generator)}


def _per_clip(score: Score, clips: Sequence[MeasuredClip], table: Contributions) -> dict[str, Any]:
    """The score of each clip, and what it is above the same picture with other clips' sounds."""

    def named(values: np.ndarray) -> dict[str, float | None]:
        return {clip.key: finite_or_none(v * score.scale) for clip, v in zip(clips, values, strict=True)}

    excess = {} if table.swapped is None else {"per_clip_excess": named(table.excess)}
    return {"per_clip": named(table.values)} | excess


def _advise(systems: dict[str, dict[str, Any]]) -> None:
    """Say of systems without sound what would give them a figure: the true clips' sound, where that has one."""
    if systems.get(REFERENCE, {"value": None})["value"] is None:
        return
    for figures in systems.values():
        if figures["value"] is None and figures["reason"].startswith(SOUNDLESS):
            figures["reason"] += "; `sound: reference` in the protocol takes that of the true clips"


def _figures(
    score: Score, clips: Sequence[MeasuredClip], table: Contributions, generator: np.random.Generator
) -> dict[str, Any]:
    """The score of some clips with its interval, chance levels and what is undefined."""
    defined = np.array([not reason for reason in table.reasons])
    reasons = Counter(reason for reason in table.reasons if reason)
    figures: dict[str, Any] = {"num_clips": int(defined.sum()), "undefined": dict(reasons)}
    rows, videos = table.score[defined], np.array([clip.video for clip in clips])[defined]
    figures["num_videos"] = len(set(videos.tolist()))
    if rows[:, 1].sum() == 0:
        return figures | {"value": None, "low": None, "high": None, "reason": _why(reasons, rows)}
    figures |= scaled(ratio_interval(rows, groups=videos, generator=generator, num_samples=NUM_SAMPLES), score.scale)
    for name in ("shifted", "swapped"):
        other = getattr(table, name)
        if other is None:
            continue
        other = other[defined]
        if other[:, 1].sum() == 0:
            figures[name] = {"chance": None, "excess": None, "reason": "no other sound to compare with"}
            continue
        both = np.concatenate((rows, other), axis=1)
        excess = ratio_interval(both, groups=videos, generator=generator, num_samples=NUM_SAMPLES)
        chance = float(other[:, 0].sum() / other[:, 1].sum()) * score.scale
        figures[name] = {"chance": chance, "excess": scaled(excess, score.scale)}
    return figures


def _why(reasons: Counter, rows: np.ndarray) -> str:
    if reasons:
        reason, count = reasons.most_common(1)[0]
        others = f", and {len(reasons) - 1} other reasons" if len(reasons) > 1 else ""
        return f"{reason} ({count} of {reasons.total()} clips{others})"
    return "no clip has anything to count" if len(rows) else "no clip was measured"


def _classes(
    score: Score, clips: Sequence[MeasuredClip], table: Contributions, generator: np.random.Generator
) -> dict[str, Any]:
    """The same for the clips of each class, if there are several."""
    names = np.array([clip.class_name for clip in clips])
    found = sorted(set(names.tolist()))
    if len(found) < 2:
        return {}
    return {name: _figures(score, *_part(clips, table, np.flatnonzero(names == name)), generator) for name in found}


def _part(clips: Sequence[MeasuredClip], table: Contributions, places: np.ndarray):
    def taken(rows):
        return None if rows is None else rows[places]

    reasons = [table.reasons[i] for i in places]
    return [clips[i] for i in places], Contributions(
        taken(table.score), taken(table.shifted), taken(table.swapped), reasons
    )


def _comparisons(score: Score, tables: dict, generator: np.random.Generator) -> list[dict[str, Any]]:
    """Paired tests between the systems, over the clips that both define, corrected by Holm."""
    found = []
    for first, second in combinations([name for name in tables if name != REFERENCE], 2):
        rows, videos = _shared(*(_paired(score, tables[name]) for name in (first, second)))
        one = {"first": first, "second": second, "num_clips": len(videos)}
        if not len(videos) or not (rows[:, :, 1].sum(axis=1) > 0).all():
            reason = "one of them has nothing to count" if len(videos) else "no clip is defined for both"
            found.append(one | {"difference": None, "p": None, "reason": reason})
            continue
        test = paired_difference(*rows, groups=videos, generator=generator, num_samples=NUM_SAMPLES)
        found.append(one | {"difference": scaled(test.difference, score.scale), "p": test.p})
    return _corrected(found)


def _corrected(comparisons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with Holm's correction over the pairs of systems of one score."""
    with_p = [one for one in comparisons if one["p"] is not None]
    for one, corrected in zip(with_p, holm([one["p"] for one in with_p]), strict=True):
        one["p_holm"] = float(corrected)
    return comparisons


def _paired(score: Score, table: tuple) -> dict[str, tuple[str, np.ndarray]]:
    """Video and contribution of each clip that is compared: its excess over other clips' sounds, where there is one.

    Stutter, noise and frame rate raise some scores with any sound; what is taken within the clip does not see them.
    """
    clips, found = table
    defined = np.array([not reason for reason in found.reasons])
    rows = found.score
    if "swapped" in score.chances and np.isfinite(found.excess[defined]).any():
        rows = np.column_stack((found.excess, np.ones(len(clips))))
        defined &= np.isfinite(found.excess)
    return {clip.key: (clip.video, row) for clip, row, one in zip(clips, rows, defined, strict=True) if one}


def _shared(*maps: dict[str, tuple[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """(2, n, 2) contributions of the clips that both systems define, and their videos."""
    keys = [key for key in maps[0] if key in maps[1]]
    rows = np.array([[side[key][1] for key in keys] for side in maps]).reshape(2, len(keys), 2)
    return rows, np.array([maps[0][key][0] for key in keys])


def _distance_entry(
    score: Score, clips: dict[str, list[MeasuredClip]], evaluation: Evaluation, generator: np.random.Generator
) -> dict[str, Any]:
    entry = distance_entry(score, clips, evaluation.protocol)
    return entry | {"comparisons": _corrected(entry["comparisons"])}
