"""Sections of a report as Markdown; names of files cannot become markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .blocks import Block, Code, Fold, Heading, Items, Paragraph, Section, Strong, Table, Words, pieces


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """A report of text, lists and tables; Markdown has no figures and clips.

    Raises:
        TypeError: If a section holds another block.
    """
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *map(block_text, section.blocks)]
    return "\n\n".join(parts) + "\n"


def block_text(block: Block) -> str:
    """One block."""
    if isinstance(block, Paragraph):
        return _text(block.words)
    if isinstance(block, Heading):
        return f"### {_text(block.words)}"
    if isinstance(block, Fold):
        return "\n\n".join([f"### {_text(block.name)}", *map(block_text, block.blocks)])
    if isinstance(block, Items):
        return "\n".join(f"- {_text(item)}" for item in block.items)
    if isinstance(block, Table):
        lines = [block.head, ["---"] * len(block.head), *block.rows]
        return "\n".join("| " + " | ".join(_text(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
    raise TypeError(f"`block` must be text, a list or a table, got {type(block).__name__}.")


def _text(words: Words) -> str:
    return "".join(map(_piece, pieces(words)))


def _piece(words: str) -> str:
    flat = words.replace("\r", " ").replace("\n", " ")
    if isinstance(words, Code):
        fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
        return f"{fence}{flat}{fence}" if len(fence) == 1 else f"{fence} {flat} {fence}"
    escaped = re.sub(r"([\\`*<]|(?<=\])\()", r"\\\1", flat)
    return f"**{escaped}**" if isinstance(words, Strong) else escaped
