"""The best and worst clips of each system beside the true ones, to play in report.html."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from asva_data.report.blocks import Block, Card, Clip, Grid, Heading, Paragraph
from asva_data.report.clips import small_clip
from asva_eval.drawings import draw_curves
from asva_eval.records import REFERENCE
from asva_eval.sections import measured
from asva_eval.wording import number

MOST_BYTES_IN_ALL = 24_000_000
"""Size of all videos of a report."""


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

    ranks: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        values = score["systems"].get(system, {}).get("per_clip", {})
        values = {key: value for key, value in values.items() if value is not None}
        sign = -1 if score["better"] == "higher" else 1
        places = (rankdata([sign * value for value in values.values()]) - 0.5) / max(len(values), 1)
        for key, place in zip(values, places, strict=True):
            ranks[key].append(float(place))
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

    def of(self, system: str) -> list[Block]:
        """The best and the worst clips of a system, each a card."""
        order = ranked(system, self.scores)
        best = min(self.count, (len(order) + 1) // 2)
        worst = min(self.count, len(order) - best)
        blocks: list[Block] = [] if order else [Heading(system), Paragraph("No clip has enough of these scores.")]
        groups = (("Best", range(best)), ("Worst", range(len(order) - 1, len(order) - 1 - worst, -1)))
        for title, places in groups:
            blocks += [Heading(f"{title} of {system}")] if places else []
            blocks += [self._card(system, order, place) for place in places]
        return blocks

    def _card(self, system: str, order: list[str], place: int) -> Card:
        clip = self.clips[order[place]]
        values = []
        for score in self.scores:
            value = score["systems"].get(system, {}).get("per_clip", {}).get(clip["key"])
            unit = f" {score['unit']}" if 0 < len(score["unit"]) < 3 else ""
            values.append(f"{score['title']}: " + ("undefined" if value is None else number(value) + unit))
        panels = [self._panel(clip, side) for side in (system, REFERENCE) if side in clip["sides"]]
        note = f"{clip['class']}, {place + 1} of {len(order)}".removeprefix(", ")
        return Card(clip["key"], [Grid(panels), Paragraph("; ".join(values), quiet=True)], note)

    def _panel(self, clip: dict[str, Any], side: str) -> Clip:
        place, fields = clip["sides"][side], self.report["protocol"]["fields"]
        record = json.loads((self.root / place["record"]).read_text(encoding="utf-8"))
        heard = clip["sides"][REFERENCE] if fields["sound"] == "reference" else place
        name, seconds = "the true clip" if side == REFERENCE else side, fields["seconds"]
        picture, sound = ((one["file"], max(0.0, one["start"])) for one in (place, heard))
        found = small_clip(name, *picture, seconds, sound=sound)
        if len(found.video) > self.left:
            found = Clip(name, problem="left out, the report would be too large")
        self.left -= len(found.video)
        curves = draw_curves(record)
        return replace(found, curves=curves, seconds=record["head"]["clip"]["seconds"] if curves else 0.0)
