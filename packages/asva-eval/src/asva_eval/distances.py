"""FID, FVD and their kernel forms between all generated and all true clips.

The interval is a jackknife over blocks of videos: drawing with replacement would repeat clips, which by itself moves
these distances up, so that a bootstrap interval need not hold its own estimate.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np

from asva_eval.conventions import Conventions
from asva_eval.observations import Observation
from asva_eval.records import REFERENCE, MeasuredClip, Undefined
from asva_eval.score import Score, scaled
from asva_metrics import FeatureStatistics, frechet_distance, jackknife_interval, kernel_distance, kernel_jackknife

BLOCKS = 20
"""Blocks of videos that are left out in turn."""
BATCH = 64
"""Clips whose features are in memory at once."""


def distance_entry(score: Score, clips: Mapping[str, Sequence[MeasuredClip]], protocol: Conventions) -> dict[str, Any]:
    """The distances of all systems with their intervals, and their differences, as they stand in the report."""
    (observation,) = score.observed(protocol)
    usable = {name: _usable(some, observation) for name, some in clips.items() if name != REFERENCE}
    # Systems that have all clips are compared by the distances that their figures are made of.
    measure = cache(lambda name, keys: _jackknife(score, [c for c in usable[name][0] if c.key in keys], observation))
    systems = {name: _figures(score, *usable[name], partial(measure, name)) for name in usable if clips[name]}
    return {"systems": systems, "comparisons": list(_comparisons(score, usable, measure))}


def _figures(score: Score, clips: list[MeasuredClip], undefined: Counter, measure: Callable) -> dict[str, Any]:
    videos = {clip.video for clip in clips}
    figures: dict[str, Any] = {"num_clips": len(clips), "num_videos": len(videos), "undefined": dict(undefined)}
    try:
        value, left_out, facts = measure(_keys(clips))
    except ValueError as error:
        reason = "; ".join(f"{reason} ({count} clips)" for reason, count in undefined.items()) or str(error)
        return figures | {"value": None, "low": None, "high": None, "reason": reason}
    return figures | facts | scaled(jackknife_interval(value, left_out)[0], score.scale)


def _comparisons(score: Score, usable: Mapping[str, tuple], measure: Callable) -> Iterator[dict[str, Any]]:
    """Differences between systems on the clips that they share, with jackknife intervals and p."""
    for names in combinations(usable, 2):
        shared = frozenset.intersection(*(_keys(usable[name][0]) for name in names))
        one = dict(zip(("first", "second"), names, strict=True)) | {"num_clips": len(shared)}
        try:
            (value, left_out, _), (other, other_left_out, _) = (measure(name, shared) for name in names)
        except ValueError as error:
            yield one | {"difference": None, "p": None, "reason": str(error)}
            continue
        interval, p = jackknife_interval(value - other, np.subtract(left_out, other_left_out))
        yield one | {"difference": scaled(interval, score.scale), "p": None if np.isnan(p) else p}


def _keys(clips: Sequence[MeasuredClip]) -> frozenset[str]:
    return frozenset(clip.key for clip in clips)


def _usable(clips: Sequence[MeasuredClip], observation: Observation) -> tuple[list[MeasuredClip], Counter]:
    """Clips that have features on both sides, and the reasons of the others."""
    usable, undefined = [], Counter()
    for clip in clips:
        try:
            clip.generated.facts(observation), clip.reference.facts(observation)
            usable.append(clip)
        except Undefined as error:
            undefined[str(error)] += 1
    return usable, undefined


def _jackknife(
    score: Score, clips: Sequence[MeasuredClip], observation: Observation
) -> tuple[float, list[float], dict[str, Any]]:
    """The distance of all clips, those with each block left out, and what is to be said of the numbers."""
    if len(clips) < 2:
        raise ValueError(f"a distance needs at least 2 clips, got {len(clips)}")
    place = {video: i for i, video in enumerate(sorted({clip.video for clip in clips}))}
    num_blocks = min(BLOCKS, len(place))
    blocks = [[clip for clip in clips if place[clip.video] % num_blocks == b] for b in range(num_blocks)]
    frechet = score.settings["form"] == "frechet"
    value, left_out, count, width = (_frechet if frechet else _kernel)(score, blocks, observation)
    facts = {"num_features": count, "num_dimensions": width}
    if count <= width and frechet:
        facts["warning"] = (
            f"{count} features do not span {width} dimensions: exact for these clips, but biased upwards; compare "
            "only with figures of equal counts"
        )
    return value, left_out, facts


Blocks = Sequence[Sequence[MeasuredClip]]
Measured = tuple[float, list[float], int, int]
"""The distance, those without each block, number and width of the features."""


def _frechet(score: Score, blocks: Blocks, observation: Observation) -> Measured:
    """By statistics, which are added up and taken off again, so that memory does not grow with the clips."""
    generated, reference = _statistics([clip for block in blocks for clip in block], observation)
    variant = score.settings["variant"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few samples are said in the report
        value, left_out = frechet_distance(generated, reference, variant=variant), []
        for block in blocks if len(blocks) > 2 else []:
            ours, theirs = _statistics(block, observation)
            rest = generated.without(ours), reference.without(theirs)
            left_out.append(frechet_distance(*rest, variant=variant))
    return value, left_out, reference.count, len(reference.mean)


def _statistics(clips: Sequence[MeasuredClip], observation: Observation) -> tuple[FeatureStatistics, ...]:
    """(generated, reference) statistics of some clips."""
    sides = FeatureStatistics(), FeatureStatistics()
    for start in range(0, len(clips), BATCH):
        for side, features in zip(sides, _features(clips[start : start + BATCH], observation), strict=True):
            side.update(features)
    return sides


def _kernel(score: Score, blocks: Blocks, observation: Observation) -> Measured:
    generated, reference = _features([clip for block in blocks for clip in block], observation)
    of_clip = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    of_row = np.repeat(of_clip, len(generated) // len(of_clip))
    if len(blocks) < 3:
        return kernel_distance(generated, reference), [], *generated.shape
    value, left_out = kernel_jackknife(generated, reference, of_row)
    return value, left_out.tolist(), *generated.shape


def _features(clips: Sequence[MeasuredClip], observation: Observation) -> tuple[np.ndarray, ...]:
    """(generated, reference) features of some clips."""
    sides = ([clip.generated for clip in clips], [clip.reference for clip in clips])
    return tuple(np.concatenate([record.tensor(observation, "features") for record in side]) for side in sides)
