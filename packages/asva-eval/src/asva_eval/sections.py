"""The sections of a report: what every table and list of it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asva_data.report.blocks import Code, Fold, Items, Paragraph, Section, Strong, Table, Words
from asva_eval.records import REFERENCE
from asva_eval.verdict import verdict_section
from asva_eval.wording import figure, interval, most_common, number, probability

MOST_FILES = 10
"""Files that are named before "and more"."""


def sections_of(report: dict[str, Any]) -> list[Section]:
    """All sections that have something to say, in their order."""
    makers = (
        _verdict,
        _inputs,
        _scores,
        _offsets,
        _chance,
        _comparisons,
        _classes,
        _not_measured,
        _left_out,
        _reading,
        _how,
    )
    return [section for section in (make(report) for make in makers) if section is not None]


def _inputs(report: dict[str, Any]) -> Section:
    protocol = report["protocol"]
    fields = protocol["fields"]
    taken = (
        f" Clips of {fields['seconds']:g} s; networks see {fields['num_frames']} frames at {fields['fps']:g} per "
        f"second ({fields['frames']} frames, {fields['stereo']} sound)"
        f"{_size(fields['size'])}. {' '.join(fields['description'].split())}"
    )
    named = ["Protocol ", Strong(protocol["name"] or "unnamed"), " (digest ", Code(protocol["digest"]), ")."]
    rows = []
    for side, facts in report["files"].items():
        cells = [most_common(facts[name]) for name in ("fps", "size", "sample_rate")]
        rows.append((side, str(facts["num_clips"]), *cells, Code(report["folders"][side])))
    head = ("side", "clips", "frames per second", "size", "sound in Hz", "folder")
    return Section("inputs", "What was compared", [Paragraph([*named, taken]), Table(head, rows), *_rates(report)])


def _size(size: list[int] | None) -> str:
    return f", of every picture the middle at {size[0]} x {size[1]}" if size else ""


def _rates(report: dict[str, Any]) -> list[Paragraph]:
    sides = [facts["fps"] for facts in report["files"].values() if facts["num_clips"]]
    if all(side == sides[0] for side in sides):
        return []
    listed = ", ".join(sorted(set().union(*sides), key=float))
    warning = Strong(f"Frame rates differ between the sides ({listed} per second).")
    rest = (
        " AV-Align allows one frame, so its figures cannot be compared across these rates; the events and the amount "
        "of motion are in seconds and can."
    )
    return [Paragraph([warning, rest])]


def _verdict(report: dict[str, Any]) -> Section | None:
    return verdict_section(report, measured(report))


def _scores(report: dict[str, Any]) -> Section:
    names = [*report["systems"], REFERENCE]
    rows = [
        (_with_unit(score), score["better"], *(figure(score["systems"].get(name)) for name in names))
        for score in measured(report)
    ]
    note = (
        "In brackets: 95 % interval, by drawing videos with replacement; for FID and FVD by leaving out blocks of "
        "videos. n is the number of clips, where some are undefined. The last column is the true clips themselves "
        "under the same score."
    )
    blocks = [Table(("score", "better", *names), rows), Paragraph(note), *_warnings(report)]
    return Section("scores", "Scores", blocks)


def _with_unit(score: dict[str, Any]) -> str:
    return f"{score['title']} ({score['unit']})" if score["unit"] else score["title"]


def _warnings(report: dict[str, Any]) -> list[Items]:
    """What must be known before a figure is believed; once for all systems that it is true of."""
    systems: dict[str, list[str]] = {}
    for score in measured(report):
        for system, figures in score["systems"].items():
            if "warning" in figures:
                systems.setdefault(f"{score['title']}: {figures['warning']}", []).append(system)
    items = [[Strong("Beware"), f" ({', '.join(names)}): {warning}."] for warning, names in systems.items()]
    return [Items(items)] if items else []


def _offsets(report: dict[str, Any]) -> Section | None:
    """What the clips of a system share of an offset, and what every system scores without its own."""
    shared = {system: one for system, one in report.get("offsets", {}).items() if one["shared"]}
    if not shared:
        return None
    items = [
        [
            Strong("Beware"),
            f" ({system}): the sound of its {one['num_clips']} clips comes {_late(one['offset'])} together "
            f"[{-one['high']:+.2f}, {-one['low']:+.2f}], as an encoder's delay makes it. ",
            Code(f"asva offset {report['folders'][system]}/*.mp4 --together --fix"),
            " moves it without encoding anew.",
        ]
        for system, one in shared.items()
    ]
    before = {score["name"]: score for score in measured(report)}
    rows = []
    for score in report["without_offsets"]:
        for system, after in score["systems"].items():
            both = (before[score["name"]]["systems"][system], after)
            cells = [cell for one in both for cell in (figure(one), interval(one.get("swapped", {}).get("excess")))]
            rows.append((score["title"], system, _late(report["offsets"][system]["offset"]), *cells))
    head = ("score", "system", "sound", "as it is", "excess", "moved", "excess")
    note = (
        "Every system whose offset can be read, with its sound as it is and moved by what its clips share; the excess "
        "is over the sounds of other clips. A system with a constant delay is not worse at hearing."
    )
    return Section("offsets", "With and without a shared offset", [Items(items), Table(head, rows), Paragraph(note)])


def _late(offset: float) -> str:
    return f"{abs(offset):.2f} s {'late' if offset < 0 else 'early'}" if abs(offset) >= 0.005 else "in time"


def _chance(report: dict[str, Any]) -> Section | None:
    rows = []
    for score in measured(report):
        for system, figures in score["systems"].items():
            chances = [figures.get(name, {"chance": None, "excess": None}) for name in ("shifted", "swapped")]
            if all(chance["chance"] is None for chance in chances):
                continue
            cells = [cell for chance in chances for cell in (number(chance["chance"]), interval(chance["excess"]))]
            rows.append((score["title"], system, number(figures["value"]), *cells))
    if not rows:
        return None
    head = ("score", "side", "value", "chance (shifted)", "excess", "chance (other clips)", "excess")
    note = (
        "What the same pictures score with their sound moved around the clip, and with the sounds of other clips; the "
        "excess is the value less that. Where the interval of an excess holds 0, the score does not tell this system's "
        "timing from luck. Both must be clear of 0: clips that all begin alike score above the first without being in "
        "time."
    )
    return Section("chance", "Chance levels of synchronization", [Table(head, rows), Paragraph(note)])


def _comparisons(report: dict[str, Any]) -> Section | None:
    rows = []
    for score in measured(report):
        for one in score.get("comparisons", []):
            pair = f"{one['first']} - {one['second']}"
            difference = interval(one["difference"]) if one["difference"] else f"nan: {one['reason']}"
            ps = (probability(one["p"]), probability(one.get("p_holm")))
            rows.append((score["title"], pair, difference, *ps, str(one["num_clips"])))
    if not rows:
        return None
    head = ("score", "systems", "difference", "p", "p (Holm)", "clips")
    note = (
        "The same clips of two systems; scores of synchronization by their excess over other clips' sounds, taken "
        "within each clip. p: how often exchanging the two systems video by video gives as large a difference; Holm's "
        "correction is over the pairs of systems of a score."
    )
    return Section("comparisons", "Systems against each other", [Table(head, rows), Paragraph(note)])


def _classes(report: dict[str, Any]) -> Section | None:
    blocks = []
    for score in measured(report):
        systems = {name: figures for name, figures in score["systems"].items() if figures.get("classes")}
        classes = sorted({name for figures in systems.values() for name in figures["classes"]})
        rows = []
        for name in classes:
            cells = [figure(figures["classes"].get(name), counted=True) for figures in systems.values()]
            rows.append((name or "(no class)", *cells))
        blocks += [Fold(score["title"], [Table(("class", *systems), rows)])] if rows else []
    return Section("classes", "Classes", blocks) if blocks else None


def _not_measured(report: dict[str, Any]) -> Section | None:
    titles: dict[str, list[str]] = {}
    for score in report["scores"]:
        if "not_measured" in score:
            titles.setdefault(score["not_measured"], []).append(score["title"])
    items = [[Strong("; ".join(names)), f": {reason}"] for reason, names in titles.items()]
    return Section("not-measured", "Not measured", [Items(items)]) if items else None


def _left_out(report: dict[str, Any]) -> Section:
    """Files without a partner, clips that could not be read, clips that a score does not define."""
    items: list[Words] = []
    for system, sides in report["unmatched"].items():
        for side, files in sides.items():
            if files:
                folder = report["folders"][REFERENCE if side == REFERENCE else system]
                items.append([f"{system}: {len(files)} {side} files without a partner: ", *_some(files, folder)])
    items += [[f"{one['system']}, ", Code(one["clip"]), f": {one['reason']}"] for one in report["broken"]]
    items += _undefined(report)
    nothing = Paragraph("Nothing: every file has its partner, every clip was measured.")
    return Section("left-out", "Left out", [Items(items) if items else nothing])


def _undefined(report: dict[str, Any]) -> list[Words]:
    """Clips that a score does not define, by reason; scores of equal counts in one line."""
    titles: dict[tuple[str, str], list[str]] = {}
    for score in measured(report):
        counts: dict[str, list[str]] = {}
        for system, figures in score["systems"].items():
            for reason, count in figures.get("undefined", {}).items():
                counts.setdefault(reason, []).append(f"{system} {count}")
        for reason, found in counts.items():
            titles.setdefault((reason, ", ".join(found)), []).append(score["title"])
    return [
        [Strong("; ".join(names)), f": {reason}. Clips undefined: {counts}"]
        for (reason, counts), names in titles.items()
    ]


def _reading(report: dict[str, Any]) -> Section:
    items = []
    for score in report["scores"]:
        text = f" ({score['unit']})" if score["unit"] else ""
        text += f": blind to {score['blind_to']}." if score["blind_to"] else "."
        text += " A frozen video does well: read it beside the amount of motion." if score["frozen_wins"] else ""
        text += f" Chance: {score['chance_rule']}." if score["chance_rule"] else ""
        items.append([Strong(score["title"]), " ", Code(score["name"]), text])
    return Section("reading", "What the scores cannot see", [Items(items)])


def _how(report: dict[str, Any]) -> Section:
    versions = ", ".join(f"{name} {found}" for name, found in report["versions"].items() if name.startswith("asva"))
    items: list[Words] = [[f"made {report['made']} with {versions}"]]
    items.append(["command: ", Code(" ".join(map(str, report["command"])))])
    for name, one in report["weights"].items():
        items.append([f"weights {name}: ", Code(one["path"]), f", sha256 {one['sha256']}"])
    kept = ["every setting, file hash and per-clip score: ", Code("report.json")]
    items.append([*kept, "; what was seen in each clip: ", Code("clips/")])
    items.append(["every table as LaTeX and SVG: ", Code("tables/")])
    return Section("how", "How this was made", [Items(items)])


def measured(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores that have figures."""
    return [score for score in report["scores"] if "systems" in score]


def _some(files: Sequence[str], folder: str) -> list[str]:
    """The first files, as they lie in their folder."""
    pieces = []
    for name in files[:MOST_FILES]:
        pieces += [Code(Path(name).relative_to(folder) if Path(name).is_relative_to(folder) else name), ", "]
    more = len(files) - MOST_FILES
    return [*pieces[:-1], f" and {more} more (all in report.json)" if more > 0 else ""]
