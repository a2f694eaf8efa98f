"""report.html: the sections of a report with plots and playable clips, in one file that needs nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from asva_eval.blocks import Code, Strong
from asva_eval.html_drawings import intervals_of
from asva_eval.html_examples import Examples
from asva_eval.html_profiles import SOURCES, ProfilePlots, profile_plots, read_profile
from asva_eval.records import REFERENCE
from asva_eval.sections import sections_of
from asva_eval.wording import number


def html(report: dict[str, Any], root: Path, *, examples: int = 3) -> str:
    """The report as one HTML page.

    Args:
        report: As it stands in report.json.
        root: Folder of the report, which the records' paths start from.
        examples: Best and worst clips of each system to show, at most; 0 for none.
    """
    from jinja2 import Environment, StrictUndefined

    page = files("asva_eval") / "page"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = number
    environment.tests |= {"code": lambda words: isinstance(words, Code), "strong": lambda w: isinstance(w, Strong)}
    style, script = ((page / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    maker = Examples(report, root, examples) if examples else None
    return environment.from_string((page / "report.html.jinja").read_text(encoding="utf-8")).render(
        report=report,
        sections=sections_of(report),
        intervals=intervals_of(report),
        profiles=_profiles(report, root),
        chosen_by=[score["title"] for score in maker.scores] if maker else [],
        examples={system: maker.of(system) for system in report["systems"]} if maker else {},
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _profiles(report: dict[str, Any], root: Path) -> list[ProfilePlots]:
    """The mean shift profiles by each score of the protocol that has one."""
    shown = {score["settings"]["score"] for score in report["scores"]}
    found = {name: [] for name in SOURCES if name in shown}
    for side, video, record in _records(report, root):
        for name, clips in found.items():
            if profile := read_profile(name, record["observed"]):
                clips.append((side, video, profile))
    generator = np.random.default_rng(report["seed"])
    seconds = report["protocol"]["fields"]["seconds"]
    plots = (profile_plots(SOURCES[name][0], clips, seconds, generator) for name, clips in found.items())
    return [plot for plot in plots if plot is not None]


def _records(report: dict[str, Any], root: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(side, video, record) of all clips, side by side."""
    for side in (*report["systems"], REFERENCE):
        for clip in report["clips"]:
            if side in clip["sides"]:
                path = root / clip["sides"][side]["record"]
                yield side, clip["video"], json.loads(path.read_text(encoding="utf-8"))
