"""report.md: the tables of a report, with what a number can and cannot say beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

REFERENCE = "reference"


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    parts = [_head(report), _scores(report), _chance(report), _comparisons(report), _classes(report)]
    parts += [_not_measured(report), _missing(report), _reading(report), _how(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: dict[str, Any]) -> str:
    protocol = report["protocol"]
    fields = protocol["fields"]
    rows = []
    for side, facts in report["files"].items():
        cells = [_counted(facts[name]) for name in ("fps", "size", "sample_rate")]
        rows.append((side, facts["num_clips"], *cells, f"`{report['folders'][side]}`"))
    taken = (
        f"Clips of {fields['seconds']:g} s; networks see {fields['num_frames']} frames at {fields['fps']:g} per second "
        f"({fields['frames']} frames, {fields['stereo']} sound). {' '.join(fields['description'].split())}"
    )
    return "\n\n".join(
        [
            "# Evaluation",
            f"Protocol **{protocol['name'] or 'unnamed'}** (digest `{protocol['digest']}`). {taken}",
            _table(("side", "clips", "frames per second", "size", "sound in Hz", "folder"), rows),
            _rates(report),
        ]
    ).strip()


def _rates(report: dict[str, Any]) -> str:
    sides = [facts["fps"] for facts in report["files"].values() if facts["num_clips"]]
    if all(side == sides[0] for side in sides):
        return ""
    rates = set().union(*sides)
    listed = ", ".join(sorted(rates, key=float))
    return (
        f"**Frame rates differ between the sides ({listed} per second).** AV-Align allows one frame, so its figures "
        "cannot be compared across these rates; the events and the amount of motion are in seconds and can."
    )


def _scores(report: dict[str, Any]) -> str:
    measured = [score for score in report["scores"] if "systems" in score]
    names = [*report["systems"], REFERENCE]
    rows = []
    for score in measured:
        cells = [_figure(score["systems"].get(name)) for name in names]
        rows.append((score["title"], _arrow(score), *cells))
    note = (
        "In brackets: 95 % interval, by drawing videos with replacement; for FID and FVD by leaving out blocks of "
        "videos. `n` is the number of clips, where some are undefined. The last column is the true clips themselves "
        "under the same score."
    )
    return "## Scores\n\n" + _table(("score", "better", *names), rows) + "\n\n" + note


def _chance(report: dict[str, Any]) -> str:
    rows = []
    for score in report["scores"]:
        for system, figures in score.get("systems", {}).items():
            chances = [figures.get(name, {"chance": None, "excess": None}) for name in ("shifted", "swapped")]
            if all(chance["chance"] is None for chance in chances):
                continue
            cells = [cell for chance in chances for cell in (_plain(chance["chance"]), _interval(chance["excess"]))]
            rows.append((score["title"], system, _plain(figures["value"]), *cells))
    if not rows:
        return ""
    head = ("score", "side", "value", "chance (shifted)", "excess", "chance (other clips)", "excess")
    note = (
        "What the same pictures score with their sound moved around the clip, and with the sound of other clips. A "
        "score whose excess includes 0 does not tell this system's timing from luck."
    )
    return "## Chance levels of synchronization\n\n" + _table(head, rows) + "\n\n" + note


def _comparisons(report: dict[str, Any]) -> str:
    rows = []
    for score in report["scores"]:
        for one in score.get("comparisons", []):
            if one["difference"] is None:
                rows.append((score["title"], f"{one['first']} - {one['second']}", "-", "-", "-", one["reason"]))
                continue
            p, corrected = _p(one["p"]), _p(one.get("p_holm"))
            pair = f"{one['first']} - {one['second']}"
            rows.append(
                (
                    score["title"],
                    pair,
                    _interval(one["difference"]),
                    p,
                    corrected,
                    one["num_clips"],
                )
            )
    if not rows:
        return ""
    head = ("score", "systems", "difference", "p", "p (Holm)", "clips")
    note = (
        "The same clips of two systems. p: how often exchanging the two systems video by video gives as large a "
        "difference; Holm's correction is over the pairs of systems of a score."
    )
    return "## Systems against each other\n\n" + _table(head, rows) + "\n\n" + note


def _classes(report: dict[str, Any]) -> str:
    parts = []
    for score in report["scores"]:
        systems = {n: f for n, f in score.get("systems", {}).items() if f.get("classes")}
        if not systems:
            continue
        classes = sorted({name for figures in systems.values() for name in figures["classes"]})
        rows = []
        for name in classes:
            cells = [_figure(figures["classes"].get(name), n=True) for figures in systems.values()]
            rows.append((name or "(no class)", *cells))
        parts.append(f"### {score['title']}\n\n" + _table(("class", *systems), rows))
    return "## Classes\n\n" + "\n\n".join(parts) if parts else ""


def _not_measured(report: dict[str, Any]) -> str:
    titles: dict[str, list[str]] = {}
    for score in report["scores"]:
        if "not_measured" in score:
            titles.setdefault(score["not_measured"], []).append(score["title"])
    lines = [f"- {'; '.join(names)}: {reason}" for reason, names in titles.items()]
    return "## Not measured\n\n" + "\n".join(lines) if lines else ""


def _missing(report: dict[str, Any]) -> str:
    """Files without a partner, clips that could not be read, clips that a score does not define."""
    lines = []
    for system, sides in report["unmatched"].items():
        for side, files in sides.items():
            if files:
                lines.append(f"- {system}: {len(files)} {side} files without a partner: {_some(files)}")
    lines += [f"- {one['system']}, `{one['clip']}`: {one['reason']}" for one in report["broken"]]
    for score in report["scores"]:
        for system, figures in score.get("systems", {}).items():
            for reason, count in figures.get("undefined", {}).items():
                lines.append(f"- {score['title']}, {system}: {count} clips undefined: {reason}")
    return "## Left out\n\n" + (
        "\n".join(lines) if lines else "Nothing: every file has its partner, every clip was measured."
    )


def _reading(report: dict[str, Any]) -> str:
    lines = []
    for score in report["scores"]:
        text = f"- **{score['title']}** `{score['name']}`"
        text += f" ({score['unit']})" if score["unit"] else ""
        text += f": blind to {score['blind_to']}." if score["blind_to"] else "."
        text += " A frozen video does well: read it beside the amount of motion." if score["frozen_wins"] else ""
        text += f" Chance: {score['chance_rule']}." if score["chance_rule"] else ""
        lines.append(text)
    return "## What the scores cannot see\n\n" + "\n".join(lines)


def _how(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items() if name.startswith("asva"))
    lines = [f"- made {report['made']} with {versions}", f"- command: `{' '.join(map(str, report['command']))}`"]
    lines += [f"- weights {name}: `{one['path']}`, sha256 {one['sha256']}" for name, one in report["weights"].items()]
    lines.append("- every setting, file hash and per-clip score: `report.json`; what was seen in each clip: `clips/`")
    return "## How this was made\n\n" + "\n".join(lines)


def _figure(figures: dict[str, Any] | None, *, n: bool = False) -> str:
    if figures is None:
        return ""
    if figures["value"] is None:
        return f"nan: {figures['reason']}"
    undefined = sum(figures.get("undefined", {}).values())
    return _interval(figures) + (f", n = {figures['num_clips']}" if n or undefined else "")


def _interval(figures: dict[str, Any] | None) -> str:
    if figures is None or figures["value"] is None:
        return "-"
    if figures["low"] is None:
        return f"{_plain(figures['value'])} (one video: no interval)"
    return f"{_plain(figures['value'])} [{_plain(figures['low'])}, {_plain(figures['high'])}]"


def _plain(value: float | None) -> str:
    if value is None:
        return "-"
    size = abs(value)
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 10 else f"{value:.3f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _arrow(score: dict[str, Any]) -> str:
    return score["better"] or "-"


def _counted(counts: dict[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:4]]
    return ", ".join(shown) + (f" and {len(counts) - 4} more" if len(counts) > 4 else "")


def _some(files: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in files[:10])
    return shown + (f" and {len(files) - 10} more (all in report.json)" if len(files) > 10 else "")


def _table(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
