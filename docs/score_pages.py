"""Writes docs/each-score.md: what every score measures, cannot see, needs and costs, its chance and its source."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from asva_eval.scores import SCORES, choose
from asva_eval.weights import KINDS, bundled

HERE = Path(__file__).parent
PAGE = HERE / "each-score.md"
COST = HERE.parent / "benchmarks" / "results" / "score_cost.json"
OPENING = """# Every score

What each measures, what it cannot see, its chance level, what it needs and costs, and where it comes from.
`python docs/score_pages.py` writes this page from the descriptions that reports print, `docs/score_notes.yaml` and
[the measured cost](costs.md#what-a-score-costs). [Which to believe](scores.md) is another question.
"""


def page() -> str:
    """The whole page."""
    notes = yaml.safe_load((HERE / "score_notes.yaml").read_text(encoding="utf-8"))
    cost = {name: rest for name, *rest in json.loads(COST.read_text(encoding="utf-8"))["clip"]["rows"][1:]}
    return "\n".join([OPENING, *(section(choose(score), *notes[score.name], cost[score.name]) for score in SCORES)])


def section(score, measures: str, source: str, cost: list[str]) -> str:
    """One score."""
    needs = "; ".join(KINDS[name].what for name in score.needs if name not in bundled()) or "nothing"
    seconds, parameters = cost
    spent = f"{seconds} CPU seconds a clip" if seconds != "-" else f"networks of {parameters} million parameters"
    spent = "networks whose parameters were not counted" if parameters == "not counted" else spent
    options = "; ".join(f"`{name}`: {', '.join(values)}" for name, values in score.options.items())
    blind = score.blind_to + ("; a frozen video does well" if score.frozen_wins else "")
    rows = {
        "In protocols": f"`{score.settings['score']}`" + (f", with {options}" if options else ""),
        "Measures": measures,
        "Better": score.better,
        "Blind to": blind,
        "Chance": score.chance_rule,
        "Needs": needs,
        "Costs": spent,
        "Source": source,
    }
    lines = [f"* **{name}:** {text}" for name, text in rows.items() if text]
    return "\n".join([f"## {score.title}{f', in {score.unit}' if score.unit else ''}", "", *lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
