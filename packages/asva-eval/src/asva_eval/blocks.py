"""What the sections of a report are made of, before they become Markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class Code(str):
    """Words that stand as they are: paths, names, commands."""


class Strong(str):
    """Words that stand out."""


Text = Sequence[str]
"""Pieces of a sentence: plain words, `Code`, `Strong`."""


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    pieces: Text
    kind: ClassVar = "paragraph"


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    words: str
    kind: ClassVar = "heading"


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row names it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: ClassVar = "table"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: Sequence[Text]
    kind: ClassVar = "items"


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        name: One word, for links.
        title: Its heading.
        blocks: What it holds.
    """

    name: str
    title: str
    blocks: Sequence[Paragraph | Heading | Table | Items]
