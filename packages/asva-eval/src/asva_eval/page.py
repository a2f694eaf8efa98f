"""report.html: the sections of report.md with figures and playable clips, in one file that fetches nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from asva_data.report.blocks import Block, Grid, Heading, Paragraph, Section
from asva_data.report.html import to_html
from asva_eval.drawings import draw_intervals, draw_profiles
from asva_eval.examples import Examples
from asva_eval.network_observations import SmallSyncFeatures
from asva_eval.observations import LocalSignals
from asva_eval.records import REFERENCE
from asva_eval.sections import sections_of

PROFILES = {
    "local_sync": ("local sync", LocalSignals().key),
    "small_sync": ("small sync classifier", SmallSyncFeatures().key),
}
"""The scores that have a profile: what they are called, and the observation that holds it."""
INTERVALS = (
    "Bar: the score. Line: its 95 % interval. Dashes: chance level with the sound shifted. Dots: chance level with the "
    "sounds of other clips."
)
SHIFTS = (
    "How well picture and sound fit when the sound is moved around the clip: to the left the sound comes earlier, to "
    "the right later. Each clip is counted in standard deviations of its own profile; the line is the mean over clips, "
    "the band its 95 % interval over videos. Sound that is in time has its top in the middle."
)
CLIPS = (
    "Ordered by the mean rank over {}. Under each video its sound with the events heard (triangles from above), and "
    "the amount of motion with the events seen (triangles from below)."
)


def report_page(report: dict[str, Any], root: Path, *, examples: int = 3) -> str:
    """The report as one HTML page.

    Args:
        report: As it stands in report.json.
        root: Folder of the report, which the records' paths start from.
        examples: Best and worst clips of each system to show, at most; 0 for none.
    """
    sections = []
    for section in sections_of(report):
        if section.name != "scores":
            sections.append(section)
            continue
        cards = draw_intervals(report)
        pictures = [Heading("The same as pictures"), Paragraph(INTERVALS), Grid(cards)] if cards else []
        sections.append(replace(section, blocks=[*section.blocks, *pictures]))
        if profiles := _profiles(report, root):
            sections.append(Section("profiles", "Shift profiles", [Paragraph(SHIFTS), *profiles]))
        if examples:
            sections.append(Section("examples", "Best and worst clips", _clips(report, root, examples)))
    return to_html(f"Evaluation of {', '.join(report['systems'])}", sections)


def _clips(report: dict[str, Any], root: Path, count: int) -> list[Block]:
    made = Examples(report, root, count)
    words = CLIPS.format(", ".join(score["title"] for score in made.scores))
    return [Paragraph(words), *(block for system in report["systems"] for block in made.of(system))]


def _profiles(report: dict[str, Any], root: Path) -> list[Block]:
    """The mean shift profiles by each score of the protocol that has one."""
    found = defaultdict(list)
    for side in (*report["systems"], REFERENCE):
        for clip in (one for one in report["clips"] if side in one["sides"]):
            record = json.loads((root / clip["sides"][side]["record"]).read_text(encoding="utf-8"))
            for score, (_, key) in PROFILES.items():
                profile = record["observed"].get(key, {})
                profile = profile.get("profile", profile)
                if "shifts" in profile:
                    found[score].append((side, clip["video"], profile))
    shown = {score["settings"]["score"] for score in report["scores"]}
    generator, seconds = np.random.default_rng(report["seed"]), report["protocol"]["fields"]["seconds"]
    plots = (draw_profiles(PROFILES[name][0], found[name], seconds, generator) for name in PROFILES if name in shown)
    return [block for plot in plots for block in plot]
