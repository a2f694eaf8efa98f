"""Where a scene changes, and the shots between (PySceneDetect's AdaptiveDetector, on stored scores)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from asva_curate.curation.curve import Curve
from asva_curate.curation.measurements import Measurements
from asva_data import MediaError


@dataclass(frozen=True, kw_only=True)
class CutRule:
    """When a pair of neighbouring pictures is a cut.

    Attributes:
        ratio: How many times its score exceeds the mean of its neighbours'.
        floor: Score that it reaches at least.
        reach: Neighbours on each side that count.
        curve: "content" for the rule above; the name of another curve, such as "cut", for one whose every value of
            `floor` or more is a cut.
    """

    ratio: float = 3.0
    floor: float = 15.0
    reach: int = 2
    curve: str = "content"


def find_cuts(measured: Measurements, rule: CutRule | None = None) -> list[tuple[float, float]]:
    """Every cut as (last second of the old shot, first second of the new one).

    PySceneDetect leaves the first and the last `reach` pairs of a file out; here those compare with the neighbours that
    there are, so that a cut near an end is found too.

    Raises:
        MediaError: If the curve was not measured.
    """
    rule = rule or CutRule()
    if rule.curve != "content" and rule.curve not in measured.curves:
        raise MediaError(f"`curve` must be measured to find cuts, got {rule.curve!r} of {sorted(measured.curves)}.")
    curve = measured.curves.get(rule.curve, Curve.of([]))
    scores = curve.values
    is_cut = scores >= rule.floor
    if rule.curve == "content":
        is_cut &= scores >= rule.ratio * _neighbours(scores, rule.reach)
    return [(float(a), float(b)) for a, b in zip(curve.begins[is_cut], curve.ends[is_cut], strict=True)]


def shots(measured: Measurements, rule: CutRule | None = None) -> list[tuple[float, float]]:
    """The stretches without a cut as (start, end) seconds."""
    cuts = find_cuts(measured, rule)
    starts, ends = [0.0, *(new for _, new in cuts)], [*(old for old, _ in cuts), measured.duration]
    return list(zip(starts, ends, strict=True))


def _neighbours(scores: np.ndarray, reach: int) -> np.ndarray:
    """Mean of up to `reach` scores on each side of every score, without itself."""
    if not len(scores):
        return scores
    ones = np.r_[np.ones(reach), 0.0, np.ones(reach)]
    total, count = (
        np.convolve(values, ones, "full")[reach : reach + len(scores)] for values in (scores, scores * 0 + 1)
    )
    return total / np.maximum(count, 1)


def detected_cuts(path: str | os.PathLike, detector: Any = None) -> Curve:
    """Cuts found by a detector of PySceneDetect on every frame, as a curve of ones.

    It decodes the file once more. Give it to `measure` as ``shot_finder=``, and name the curve "cut" in the rule.

    Args:
        path: The video.
        detector: Any of PySceneDetect; its AdaptiveDetector by default.
    """
    from scenedetect import detect
    from scenedetect.detectors import AdaptiveDetector

    scenes = detect(str(path), detector or AdaptiveDetector())
    starts = [start for start, _ in scenes[1:]]
    return Curve.of((start.seconds - 1 / start.framerate, start.seconds, 1.0) for start in starts)
