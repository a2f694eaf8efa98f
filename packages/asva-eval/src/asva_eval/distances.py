"""FID, FVD and their kernel forms between all generated and all true clips.

The interval is a jackknife over blocks of videos: drawing with replacement would repeat clips, which by itself moves
these distances up, so that a bootstrap interval need not hold its own estimate.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from asva_eval.conventions import Conventions
from asva_eval.observations import Observation
from asva_eval.records import REFERENCE, MeasuredClip, Undefined
from asva_eval.score import Score, scaled
from asva_metrics import FeatureStatistics, frechet_distance, jackknife_interval, kernel_distance

BLOCKS = 20
"""Blocks of videos that are left out in turn."""


def distance_figures(score: Score, clips: Sequence[MeasuredClip], protocol: Conventions) -> dict[str, Any]:
    """The distance of a system's clips with its interval, as it stands in the report."""
    (observation,) = score.observed(protocol)
    usable, undefined = _usable(clips, observation)
    videos = {clip.video for clip in usable}
    figures: dict[str, Any] = {"num_clips": len(usable), "num_videos": len(videos), "undefined": dict(undefined)}
    try:
        value, left_out, facts = _jackknife(score, usable, observation)
    except ValueError as error:
        reason = "; ".join(f"{reason} ({count} clips)" for reason, count in undefined.items()) or str(error)
        return figures | {"value": None, "low": None, "high": None, "reason": reason}
    return figures | facts | scaled(jackknife_interval(value, left_out)[0], score.scale)


def distance_comparisons(
    score: Score, clips: dict[str, list[MeasuredClip]], protocol: Conventions
) -> list[dict[str, Any]]:
    """Differences between systems on the clips that they share, with jackknife intervals and p."""
    (observation,) = score.observed(protocol)
    found = []
    for first, second in combinations([name for name in clips if name != REFERENCE], 2):
        usable = [_usable(clips[name], observation)[0] for name in (first, second)]
        shared = {clip.key for clip in usable[0]} & {clip.key for clip in usable[1]}
        one = {"first": first, "second": second, "num_clips": len(shared)}
        try:
            sides = [_jackknife(score, [c for c in side if c.key in shared], observation) for side in usable]
        except ValueError as error:
            found.append(one | {"difference": None, "p": None, "reason": str(error)})
            continue
        (value, left_out, _), (other, other_left_out, _) = sides
        interval, p = jackknife_interval(value - other, np.subtract(left_out, other_left_out))
        found.append(one | {"difference": scaled(interval, score.scale), "p": None if np.isnan(p) else p})
    return found


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
    measure = _frechet if frechet else _kernel
    value, count, width = measure(score, blocks, observation)
    without = [blocks[:i] + blocks[i + 1 :] for i in range(num_blocks)] if num_blocks > 2 else []
    facts = {"num_features": count, "num_dimensions": width}
    if count <= width and frechet:
        facts["warning"] = (
            f"{count} features do not span {width} dimensions: exact for these clips, but biased upwards; compare "
            "only with figures of equal counts"
        )
    return value, [measure(score, rest, observation)[0] for rest in without], facts


Blocks = Sequence[Sequence[MeasuredClip]]


def _frechet(score: Score, blocks: Blocks, observation: Observation) -> tuple[float, int, int]:
    """Distance, number and width of features, which are only added up, so that memory does not grow with the clips."""
    generated, reference = FeatureStatistics(), FeatureStatistics()
    for ours, theirs in _features(blocks, observation):
        generated.update(ours)
        reference.update(theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few samples are said in the report
        distance = frechet_distance(generated, reference, variant=score.settings["variant"])
    return distance, reference.count, len(reference.mean)


def _kernel(score: Score, blocks: Blocks, observation: Observation) -> tuple[float, int, int]:
    generated, reference = (np.concatenate(side) for side in zip(*_features(blocks, observation), strict=True))
    return kernel_distance(generated, reference), *generated.shape


def _features(blocks: Blocks, observation: Observation) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(generated, reference) features of each clip."""
    for clip in (clip for block in blocks for clip in block):
        yield clip.generated.tensor(observation, "features"), clip.reference.tensor(observation, "features")
