"""The verdict of a report in words: better, not told apart, at chance, too good, and hardly moving."""

import pytest

from asva_data.report.markdown import to_markdown
from asva_eval import verdict
from asva_eval.verdict import verdict_section


def span(value, low, high):
    return {"value": value, "low": low, "high": high}


def score(name, systems, better="higher", comparisons=(), heard=True):
    """A score of a report; ``systems`` maps a name to value and excess."""
    figures = {}
    for system, (value, excess) in systems.items():
        figures[system] = span(value, value - 0.1, value + 0.1)
        if heard:
            figures[system]["swapped"] = {"chance": 0.0, "excess": span(excess, excess - 0.2, excess + 0.2)}
    return {
        "name": name,
        "title": name,
        "better": better,
        "systems": figures,
        "comparisons": list(comparisons),
    }


def compared(value, p):
    return {
        "first": "a",
        "second": "b",
        "difference": span(value, value - 0.1, value + 0.1),
        "p_holm": p,
        "num_clips": 9,
    }


def words(*scores):
    section = verdict_section({"systems": ["a", "b"]}, list(scores))
    return "" if section is None else to_markdown("x", [section])


MOTION = score("motion", {"a": (50, 0), "b": (20, 0), "reference": (60, 0)}, better="", heard=False)


@pytest.fixture
def leading(monkeypatch):
    monkeypatch.setattr(verdict, "LEADING", ("event_f1", "av_align_2025"))


def test_none_leads_and_what_several_say():
    one = score("event_f1", {"a": (1, 0.7), "b": (1, 0.1), "reference": (2, 1)}, comparisons=[compared(0.6, 0.001)])
    two = score("local_sync", {"a": (1, 0.7), "b": (1, 0.1), "reference": (2, 1)}, comparisons=[compared(0.1, 0.4)])
    text = words(one, two, MOTION)
    assert "No score leads" in text and "**a and b**: a is better in time by event_f1." in text
    assert "no score of sync tells them apart" in words(two, MOTION)


@pytest.mark.usefixtures("leading")
def test_better_and_at_chance():
    sync = score("event_f1", {"a": (1, 0.7), "b": (1, 0.1), "reference": (2, 1.5)}, comparisons=[compared(0.6, 0.001)])
    text = words(score("local_sync", {"a": (0.2, 0), "b": (0.2, 0), "reference": (0.5, 0.3)}), sync, MOTION)
    assert "**a** is better in time than b by event_f1" in text and "9 clips" in text
    assert "**b**: event_f1 cannot tell its timing from luck" in text
    assert "b moves less than half as much as the true clips, 20" in text and "a moves" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert "event_f1" in rows[2] and "local_sync" in rows[3] and "amount of motion" in rows[4]  # what leads is first


@pytest.mark.usefixtures("leading")
def test_not_told_apart_and_lower_is_better():
    sync = score("event_f1", {"a": (1, 0.7), "b": (1, 0.6), "reference": (2, 1.5)}, comparisons=[compared(0.1, 0.4)])
    assert "a and b cannot be told apart by event_f1" in words(sync, MOTION)
    late = score(
        "av_align_2025", {"a": (1, -0.7), "b": (1, -0.9), "reference": (2, -2)}, "lower", [compared(0.2, 0.01)]
    )
    assert "**b** is better in time than a" in words(late, MOTION) and "luck" not in words(late, MOTION)


def test_a_score_that_outdoes_the_truth_is_a_warning():
    sync = score("event_f1", {"a": (3, 0.7), "b": (1, 0.6), "reference": (2, 1.5)})
    assert "**Beware of** event_f1: a outscores the true clips" in words(sync, MOTION).replace("of **", "of** ")
    assert words(MOTION) == ""  # nothing was heard


def test_what_a_control_wins():
    against = compared(0.6, 0.001) | {"first": "warp"}
    sync = score("event_f1", {"warp": (1, 0.7), "b": (1, 0.1), "reference": (2, 1)}, comparisons=[against])
    quiet = score("local_sync", {"warp": (1, 0.7), "b": (1, 0.1)}, comparisons=[against | {"p_holm": 0.4}])
    systems = {"systems": ["warp", "b"]}
    text = to_markdown("x", [verdict_section(systems, [sync, quiet])])
    assert "**warp**, a control that moves by rule and understands nothing: better than b by event_f1." in text
    assert "better than no system by any score" in to_markdown("x", [verdict_section(systems, [quiet])])
