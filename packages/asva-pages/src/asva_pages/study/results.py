"""What raters answered: a table of answers, ratings for `asva validate`, win rates and Bradley-Terry strengths."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from asva_metrics import preference
from asva_pages.study.raters import Raters
from asva_weights.files import staged, write_json

ATTENTION = 2 / 3
"""Share of the checks of attention that must be passed, or a rater's answers do not count."""
HEAD = ("rater", "trial", "clip", "left", "right", "spoilt", "question", "answer", "at")


def write_study_results(folder: str | os.PathLike, *, seed: int = 0) -> dict[str, Any]:
    """Write ``answers.csv``, ``results.json`` and ``ratings-<question>.csv``, which `asva validate` reads.

    Answers of raters who failed more than a third of their checks stand in the table and count for nothing else. A
    rating is 1 for the video that was preferred, 0 for the other, 0.5 for both where neither was; a video's mean rating
    is the share of its comparisons that it won.

    Args:
        folder: Of a study.
        seed: Of the intervals.

    Returns:
        What stands in ``results.json``.

    Raises:
        MediaError: If there is no study.
    """
    raters, folder = Raters(folder), Path(folder)
    rows = [row for rater in raters.names() for row in _rows(raters, rater)]
    people = [_attention(raters, rater) for rater in raters.names()]
    counted = {one["rater"] for one in people if one["counts"]}
    votes = [row for row in rows if row["rater"] in counted and not row["spoilt"]]
    found = {
        "raters": people,
        "questions": {
            name: {"text": text} | _question([row for row in votes if row["question"] == name], seed)
            for name, text in raters.study.questions.items()
        },
    }
    _write(folder / "answers.csv", HEAD, rows)
    for name in raters.study.questions:
        _write(folder / f"ratings-{name}.csv", ("clip", "system", "rating", "rater"), _ratings(votes, name))
    write_json(folder / "results.json", found)
    return found


def _rows(raters: Raters, rater: str) -> Iterable[dict[str, Any]]:
    """A row per answer; the answer is a side, so that a table without names of systems stays readable."""
    trials, answers = raters.answers(rater)
    for place, given in sorted(answers.items()):
        for question, answer in given["answers"].items():
            told = {"rater": rater, "trial": place, "question": question, "answer": answer, "at": given["at"]}
            yield told | asdict(trials[place])


def _attention(raters: Raters, rater: str) -> dict[str, Any]:
    trials, answers = raters.answers(rater)
    given = {place: row["answers"] for place, row in answers.items() if row["answers"]}
    checks = {place: one.spoilt for place, one in enumerate(trials) if one.spoilt and place in given}
    good = {"left": "right", "right": "left"}
    passed = sum(all(one == good[spoilt] for one in given[place].values()) for place, spoilt in checks.items())
    return {
        "rater": rater,
        "answered": len(given),
        "unplayable": len(answers) - len(given),
        "asked": len(trials),
        "checks": len(checks),
        "passed": passed,
        "counts": passed >= ATTENTION * len(checks),
    }


def _question(votes: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Figures of one question; empty without votes."""
    if not votes:
        return {"votes": 0, "systems": {}, "pairs": []}
    sides = ([row[side] for row in votes] for side in ("left", "right"))
    won = [{"left": 1.0, "same": 0.5, "right": 0.0}[row["answer"]] for row in votes]
    who = ([row[name] for row in votes] for name in ("clip", "rater"))
    found = preference(*sides, won, *who, generator=np.random.default_rng(seed))
    figures = zip(found.systems, found.win_rates, found.strengths, strict=True)
    return {
        "votes": len(votes),
        "reason": found.reason,
        "systems": {name: {"win_rate": _plain(rate), "strength": _plain(s)} for name, rate, s in figures},
        "pairs": [{"first": a, "second": b, "won": _plain(one)} for (a, b), one in found.pairs.items()],
    }


def _plain(one: Any) -> dict[str, Any]:
    ends = {"value": one.estimate, "low": one.low, "high": one.high}
    return {name: x if np.isfinite(x) else None for name, x in ends.items()} | {"votes": one.num_clips}


def _ratings(votes: list[dict[str, Any]], question: str) -> Iterable[dict[str, Any]]:
    for row in (row for row in votes if row["question"] == question):
        for side in ("left", "right"):
            value = 0.5 if row["answer"] == "same" else float(row["answer"] == side)
            yield {"clip": row["clip"], "system": row[side], "rating": value, "rater": row["rater"]}


def _write(path: Path, head: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    with staged(path) as (draft,), draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, head)
        table.writeheader()
        table.writerows(rows)
