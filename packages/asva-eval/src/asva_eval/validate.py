"""Scores of a report against people's ratings of the same videos."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from asva_eval.ratings import Rating, RatingsError
from asva_eval.records import REFERENCE
from asva_eval.score import finite_or_none
from asva_metrics import Interval, agreement, rating_ceiling
from asva_weights.text import read_text, reading

FORMS = {"per_clip": "", "per_clip_excess": ", excess over other clips"}
"""Figures of each clip that a report holds, and what they are called."""


def read_report(path: str | Path) -> dict[str, Any]:
    """A report.json of `asva_eval.write_report`.

    Raises:
        RatingsError: If it cannot be read or is no report.
    """
    with reading(Path(path), "`scores` must be a report.json", RatingsError):
        report = json.loads(read_text(Path(path)))
    if not isinstance(report, dict) or "scores" not in report or "clips" not in report:
        raise RatingsError(f"`scores` must be a report.json of asva evaluate, got {path}.")
    return report


def validate(report: Mapping[str, Any], ratings: Sequence[Rating], *, seed: int = 0) -> dict[str, Any]:
    """How far each score of a report agrees with ratings.

    Args:
        report: A report as it stands in report.json.
        ratings: Of its videos; a clip may be called by its key, by its true file, or by that file's name alone.
        seed: Of the resampling.

    Returns:
        ``scores`` with the figures of each score in each form, best first; ``ceiling``, what raters agree among each
        other; ``unknown``, ratings that fit no video; counts of what was used.

    Raises:
        RatingsError: If no rating fits a video of the report.
    """
    names, systems = _names(report), [*report["systems"], REFERENCE]
    known = [one for one in ratings if one.clip in names and one.system in systems]
    if not known:
        first = ratings[0]
        raise RatingsError(
            f"`ratings` must be of the report's videos, got {first.clip} of {first.system}; the report has "
            f"{next(iter(names), 'none')} and others, of {', '.join(systems)}."
        )
    videos = defaultdict(lambda: defaultdict(list))
    for one in known:
        videos[names[one.clip], one.system][one.rater].append(one.value)
    keys = sorted(videos)
    means = [float(np.mean([np.mean(v) for v in videos[key].values()])) for key in keys]
    found = []
    for score in (s for s in report["scores"] if "systems" in s and s["better"]):
        for form, title in FORMS.items():
            values = _values(report, score, form, keys)
            if values is not None:
                sign = -1 if score["better"] == "lower" else 1
                compared = agreement(
                    sign * values, means, *zip(*keys, strict=True), generator=np.random.default_rng(seed)
                )
                found.append({"name": score["name"], "title": score["title"] + title} | _plain(asdict(compared)))
    found.sort(key=lambda one: -(one["spearman"]["value"] if one["spearman"]["value"] is not None else -2))
    raters = sorted({rater for video in videos.values() for rater in video})
    table = np.array([[np.mean(videos[key].get(rater, [np.nan])) for rater in raters] for key in keys])
    return {
        "scores": found,
        "ceiling": finite_or_none(rating_ceiling(table, generator=np.random.default_rng(seed))),
        "num_raters": len(raters),
        "num_videos": len(keys),
        "unknown": sorted({f"{one.system}, {one.clip}" for one in ratings} - {f"{o.system}, {o.clip}" for o in known}),
    }


def _names(report: Mapping[str, Any]) -> dict[str, str]:
    """True file of a clip by each way to call it; names that two files share are left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for clip in report["clips"]:
        video = clip["video"]
        for name in (clip["key"], video, video.rsplit(".", 1)[0], Path(video).name, Path(video).stem):
            found[name].add(video)
    return {name: next(iter(videos)) for name, videos in found.items() if len(videos) == 1}


def _values(
    report: Mapping[str, Any], score: Mapping[str, Any], form: str, keys: Sequence[tuple[str, str]]
) -> np.ndarray | None:
    """The score of each video, the mean over its clips; None if the report does not hold this form."""
    per_clip = {name: figures[form] for name, figures in score["systems"].items() if form in figures}
    if not per_clip:
        return None
    clips = defaultdict(list)
    for clip in report["clips"]:
        for system, values in per_clip.items():
            if values.get(clip["key"]) is not None:
                clips[clip["video"], system].append(values[clip["key"]])
    return np.array([np.mean(clips[key]) if key in clips else np.nan for key in keys])


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Intervals and numbers as they stand in reports."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            one = Interval(**value)
            return {
                "value": finite_or_none(one.estimate),
                "low": finite_or_none(one.low),
                "high": finite_or_none(one.high),
            }
        return finite_or_none(value) if isinstance(value, float) else value

    return {name: plain(value) for name, value in values.items()}
