"""Writes the table of docs/scores.md that says of every score what it needs, what it cannot see, and its chance."""

from __future__ import annotations

from pathlib import Path

from asva_eval.scores import SCORES, choose
from asva_eval.weights import KINDS, bundled

PAGE = Path(__file__).parent / "scores.md"
BEGIN, END = "<!-- score table -->\n", "<!-- end of score table -->"


def table() -> str:
    """The rows in Markdown, a score each."""
    head = ["| score | name | better | blind to | chance level | needs |", "|---|---|---|---|---|---|"]
    rows = []
    for score in map(choose, SCORES):
        title = score.title + (f", {score.unit}" if score.unit else "")
        needs = "; ".join(KINDS[name].what for name in score.needs if name not in bundled()) or "nothing"
        still = "; a frozen video does well" if score.frozen_wins else ""
        cells = (title, f"`{score.settings['score']}`", score.better, score.blind_to + still, score.chance_rule, needs)
        rows.append("| " + " | ".join(cell or "-" for cell in cells) + " |")
    return "\n".join([*head, *rows, ""])


def page(text: str) -> str:
    """The page with its table as it is now."""
    return text.split(BEGIN)[0] + BEGIN + table() + END + text.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
