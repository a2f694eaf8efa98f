"""The best and worst clips of each system as small videos that stand in report.html itself."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asva_eval.html_drawings import Curves, curves_of
from asva_eval.html_videos import small_video
from asva_eval.records import REFERENCE
from asva_eval.sections import measured
from asva_eval.wording import number

MOST_BYTES_IN_ALL = 24_000_000
"""Size of all videos of a report."""


@dataclass(frozen=True)
class Panel:
    """One clip to look at.

    Attributes:
        side: System, or reference.
        video: Its data URI, or an empty string.
        problem: Why there is no video.
        curves: What was heard and seen in it.
    """

    side: str
    video: str
    problem: str
    curves: Curves | None


@dataclass(frozen=True)
class Example:
    """A clip of a system beside the true one.

    Attributes:
        key: Name of the clip.
        class_name: Its class.
        place: Where it stands among the system's clips.
        scores: Title and value of each score that it was chosen by.
        panels: The generated and the true clip.
    """

    key: str
    class_name: str
    place: str
    scores: list[tuple[str, str]]
    panels: list[Panel]


def choosing_scores(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores that order clips: those of timing, else all that have a better direction and a figure per clip."""
    usable = [
        score
        for score in measured(report)
        if score["better"] and any("per_clip" in figures for figures in score["systems"].values())
    ]
    timing = [s for s in usable if any("shifted" in figures for figures in s["systems"].values())]
    return timing or usable


def ranked(system: str, scores: list[dict[str, Any]]) -> list[str]:
    """Keys of a system's clips by their mean rank over the scores, best first.

    Clips that fewer than half of the scores define are left out.
    """
    from scipy.stats import rankdata

    ranks: dict[str, list[float]] = {}
    for score in scores:
        values = score["systems"].get(system, {}).get("per_clip", {})
        values = {key: value for key, value in values.items() if value is not None}
        if not values:
            continue
        sign = -1 if score["better"] == "higher" else 1
        places = (rankdata([sign * value for value in values.values()]) - 0.5) / len(values)
        for key, place in zip(values, places, strict=True):
            ranks.setdefault(key, []).append(float(place))
    kept = {key: float(np.mean(places)) for key, places in ranks.items() if 2 * len(places) >= len(scores)}
    return sorted(kept, key=lambda key: (kept[key], key))


class Examples:
    """Makes examples until their videos fill the report.

    Args:
        report: As it stands in report.json.
        root: Folder of the report, which the records' paths start from.
        count: Best and worst clips of each system, at most.
    """

    def __init__(self, report: dict[str, Any], root: Path, count: int) -> None:
        self.report, self.root, self.count = report, root, count
        self.scores = choosing_scores(report)
        self.clips = {clip["key"]: clip for clip in report["clips"]}
        self.left = MOST_BYTES_IN_ALL

    def of(self, system: str) -> list[tuple[str, list[Example]]]:
        """("Best", examples) and ("Worst", examples) of a system."""
        order = ranked(system, self.scores)
        best = min(self.count, (len(order) + 1) // 2)
        worst = min(self.count, len(order) - best)
        groups = (("Best", range(best)), ("Worst", range(len(order) - 1, len(order) - 1 - worst, -1)))
        return [(title, [self._example(system, order, i) for i in places]) for title, places in groups if places]

    def _example(self, system: str, order: list[str], place: int) -> Example:
        clip = self.clips[order[place]]
        values = {s["title"]: (s["systems"].get(system, {}).get("per_clip", {}), s["unit"]) for s in self.scores}
        return Example(
            clip["key"],
            clip["class"],
            f"{place + 1} of {len(order)}",
            [(title, _measured_as(found.get(clip["key"]), unit)) for title, (found, unit) in values.items()],
            [self._panel(clip, side) for side in (system, REFERENCE) if side in clip["sides"]],
        )

    def _panel(self, clip: dict[str, Any], side: str) -> Panel:
        place = clip["sides"][side]
        record = json.loads((self.root / place["record"]).read_text(encoding="utf-8"))
        fields = self.report["protocol"]["fields"]
        heard = clip["sides"][REFERENCE] if fields["sound"] == "reference" else place
        try:
            video = small_video(place, heard, fields["seconds"])
        except (ValueError, OSError) as error:
            return Panel(side, "", str(error), curves_of(record))
        if len(video) > self.left:
            return Panel(side, "", "left out, the report would be too large", curves_of(record))
        self.left -= len(video)
        uri = "data:video/mp4;base64," + base64.b64encode(video).decode()
        return Panel(side, uri, "", curves_of(record))


def _measured_as(value: float | None, unit: str) -> str:
    """A figure with its unit, if that is short."""
    return "undefined" if value is None else f"{number(value)} {unit if len(unit) < 3 else ''}".strip()
