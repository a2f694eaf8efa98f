"""What a report says first: who is better in time, how surely, and which figures should not be believed."""

from __future__ import annotations

from typing import Any

from asva_data.report.blocks import Items, Paragraph, Section, Strong, Table, Words
from asva_eval.records import REFERENCE
from asva_eval.wording import interval, number, probability

LEADING: tuple[str, ...] = ()
"""Scores that may lead, best first: by the rule of docs/scores.md none."""
NONE_LEADS = (
    ": each is raised by noise, or scores a large shift above a smaller one (docs/scores.md). Believe what several "
    "agree on."
)
CONTROLS = {"static": "repeats the picture", "warp": "moves by rule and understands nothing"}
"""Methods that no system of worth should lose to."""
SURE = 0.05
"""p below which a difference is called one."""


def verdict_section(report: dict[str, Any], measured: list[dict[str, Any]]) -> Section | None:
    """The verdict, and the excess of every score of synchronization over other clips' sounds beside the motion."""
    heard = [score for score in measured if any("swapped" in one for one in score["systems"].values())]
    if not heard:
        return None
    names = [*report["systems"], REFERENCE]
    lead = next((score for name in LEADING for score in heard if score["name"] == name), None)
    shown = [lead, *(score for score in heard if score is not lead)] if lead else heard
    motion = next((score for score in measured if score["name"] == "motion"), None)
    rows = [(Strong(score["title"]) if score is lead else score["title"], *_excesses(score, names)) for score in shown]
    if motion:
        rows.append(("amount of motion", *(interval(motion["systems"].get(name)) for name in names)))
    note = (
        "What a clip scores with its own sound, less what the same picture scores with the sounds of other clips: 0 is "
        "chance, whatever stutter, noise or frame rate do to the score itself. Scores as they are, and those of "
        "published protocols, stand below."
    )
    first = _of_lead(lead, report) if lead else [[Strong("No score leads"), NONE_LEADS], *_agreed(heard)]
    items = [*first, *_controls(measured, report), *_too_good(measured, report), *_still(motion, report)]
    blocks = [*([Items(items)] if items else []), Table(("excess over other clips' sounds", *names), rows)]
    return Section("verdict", "Synchronization", [*blocks, Paragraph(note)])


def _excesses(score: dict[str, Any], names: list[str]) -> list[str]:
    return [interval(score["systems"].get(name, {}).get("swapped", {}).get("excess")) for name in names]


def _of_lead(score: dict[str, Any], report: dict[str, Any]) -> list[Words]:
    """Each system against chance, and each pair, by the leading score."""
    items, title = [], score["title"]
    chance = [name for name in report["systems"] if not _clear(_excess(score, name), score["better"])]
    if chance:
        items.append([Strong(", ".join(chance)), f": {title} cannot tell its timing from luck."])
    for one in score.get("comparisons", []):
        better = _better(one, score["better"])
        if better is None:
            items.append([f"{one['first']} and {one['second']} cannot be told apart by {title}{_sure(one)}."])
        else:
            other = one["second"] if better == one["first"] else one["first"]
            items.append([Strong(better), f" is better in time than {other} by {title}{_sure(one)}."])
    return items


def _agreed(heard: list[dict[str, Any]]) -> list[Words]:
    """Each pair of systems, and how many scores of sync are sure of which."""
    votes: dict[tuple[str, str], dict[str | None, list[str]]] = {}
    for score in heard:
        for one in score.get("comparisons", []):
            found = votes.setdefault((one["first"], one["second"]), {})
            found.setdefault(_better(one, score["better"]), []).append(score["title"])
    items: list[Words] = []
    for (first, second), found in votes.items():
        sure = [f"{name} is better in time by {' and '.join(titles)}" for name, titles in found.items() if name]
        text = f": {'; '.join(sure)}." if sure else ": no score of sync tells them apart."
        items.append([Strong(f"{first} and {second}"), text])
    return items


def _better(one: dict[str, Any], direction: str) -> str | None:
    if one["difference"] is None or one.get("p_holm") is None or one["p_holm"] >= SURE:
        return None
    first = (one["difference"]["value"] > 0) == (direction == "higher")
    return one["first"] if first else one["second"]


def _sure(one: dict[str, Any]) -> str:
    if one["difference"] is None:
        return f" ({one['reason']})"
    return f" (difference {interval(one['difference'])}, p {probability(one.get('p_holm'))}, {one['num_clips']} clips)"


def _excess(score: dict[str, Any], name: str) -> dict[str, Any] | None:
    return score["systems"].get(name, {}).get("swapped", {}).get("excess")


def _clear(excess: dict[str, Any] | None, better: str) -> bool:
    """Whether an excess is clear of 0 to the better side."""
    if excess is None or excess["low"] is None:
        return False
    return excess["low"] > 0 if better == "higher" else excess["high"] < 0


def _controls(measured: list[dict[str, Any]], report: dict[str, Any]) -> list[Words]:
    """What each control wins, and against whom."""
    items: list[Words] = []
    for name in (name for name in CONTROLS if name in report["systems"]):
        won: dict[str, list[str]] = {}
        for score in measured:
            for one in score.get("comparisons", []):
                pair = {one["first"], one["second"]}
                if name in pair and _better(one, score["better"]) == name:
                    won.setdefault((pair - {name}).pop(), []).append(score["title"])
        wins = "; ".join(f"better than {other} by {', '.join(titles)}" for other, titles in won.items())
        items.append(
            [Strong(name), f", a control that {CONTROLS[name]}: {wins or 'better than no system by any score'}."]
        )
    return items


def _too_good(measured: list[dict[str, Any]], report: dict[str, Any]) -> list[Words]:
    """Scores in which systems are clear above the truth: a warning about the score."""
    items = []
    for score in measured:
        truth = score["systems"].get(REFERENCE, {}).get("value")
        if truth is None or not score["better"] or score.get("features"):
            continue
        above = [name for name in report["systems"] if _beyond(score["systems"].get(name), truth, score["better"])]
        if above:
            text = f": {', '.join(above)} outscores the true clips ({number(truth)}), which says more of the score."
            items.append([Strong("Beware of "), score["title"], text])
    return items


def _beyond(figures: dict[str, Any] | None, truth: float, better: str) -> bool:
    if not figures or figures["value"] is None or figures["low"] is None:
        return False
    return figures["low"] > truth if better == "higher" else figures["high"] < truth


def _still(motion: dict[str, Any] | None, report: dict[str, Any]) -> list[Words]:
    """Systems that move less than half as much as the truth."""
    truth = motion["systems"].get(REFERENCE, {}).get("value") if motion else None
    if motion is None or not truth:
        return []
    amounts = {name: motion["systems"].get(name, {}).get("value") for name in report["systems"]}
    return [
        [
            Strong("Beware"),
            f": {name} moves less than half as much as the true clips, {number(one)} to {number(truth)}.",
        ]
        for name, one in amounts.items()
        if one is not None and one < truth / 2
    ]
