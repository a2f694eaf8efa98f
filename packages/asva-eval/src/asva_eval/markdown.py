"""report.md: the sections of a report as Markdown."""

from __future__ import annotations

import re
from typing import Any

from asva_eval.blocks import Code, Heading, Items, Paragraph, Strong, Table, Text
from asva_eval.sections import sections_of


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown; names of files cannot become markup."""
    parts = ["# Evaluation"]
    for section in sections_of(report):
        parts += [f"## {section.title}", *map(_block, section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Paragraph | Heading | Table | Items) -> str:
    if isinstance(block, Paragraph):
        return _text(block.pieces)
    if isinstance(block, Heading):
        return f"### {_piece(block.words)}"
    if isinstance(block, Items):
        return "\n".join(f"- {_text(item)}" for item in block.items)
    lines = [block.head, ["---"] * len(block.head), *block.rows]
    return "\n".join("| " + " | ".join(_piece(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _text(pieces: Text) -> str:
    return "".join(map(_piece, pieces))


def _piece(words: str) -> str:
    flat = words.replace("\r", " ").replace("\n", " ")
    if isinstance(words, Code):
        fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
        return f"{fence}{flat}{fence}" if len(fence) == 1 else f"{fence} {flat} {fence}"
    escaped = re.sub(r"([\\`*<]|(?<=\])\()", r"\\\1", flat)
    return f"**{escaped}**" if isinstance(words, Strong) else escaped
