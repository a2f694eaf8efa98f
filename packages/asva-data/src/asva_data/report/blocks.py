"""Blocks that a report is made of, before they become HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Code(str):
    """Words that stand as they are: paths, names, commands."""


class Strong(str):
    """Words that stand out."""


class Alarm(Strong):
    """Words that stand out because something is out of bounds."""


class Swatch(str):
    """A patch of a colour of the figures, to say what the colour means."""


class Number(str):
    """A cell of a table that is aligned to the right."""


Words = str | Sequence[str]
"""Plain words, or pieces of them: plain ones, `Code`, `Strong`, `Alarm`, `Swatch`, `Number`."""


@dataclass(frozen=True)
class Paragraph:
    """A few sentences; quiet ones are set small."""

    words: Words
    quiet: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    words: Words


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: Sequence[Words]


@dataclass(frozen=True)
class Bar:
    """A cell of a table that shows a share from 0 to 1 in a colour of the figures."""

    share: float
    colour: str


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row names it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Bar]]


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes:
        svg: What `draw` returns.
        words: The same for those who cannot see it.
    """

    svg: str
    words: str


@dataclass(frozen=True)
class Clip:
    """A video that plays, with curves under it.

    Attributes:
        name: What it shows; may be empty where a card says it.
        video: H.264 in MP4; empty if there is none.
        poster: JPEG that stands for it until it plays.
        problem: Why there is no video.
        curves: Drawing under the video, as wide as its time.
        seconds: Length of the curves.
    """

    name: str
    video: bytes = b""
    poster: bytes = b""
    problem: str = ""
    curves: Figure | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Card:
    """Blocks that belong together under a name; a note stands beside it in small letters."""

    name: Words
    blocks: Sequence[Block]
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """Blocks side by side, as many as the page is wide enough for."""

    blocks: Sequence[Block]


@dataclass(frozen=True)
class Fold:
    """Blocks that open and close; on paper a heading."""

    name: str
    blocks: Sequence[Block]
    open: bool = False


Block = Paragraph | Heading | Items | Table | Figure | Clip | Card | Grid | Fold


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        name: One word, for links.
        title: Its heading.
        blocks: What it holds.
    """

    name: str
    title: str
    blocks: Sequence[Block]


def pieces(words: Words) -> Sequence[str]:
    """Words as pieces, whether they came as one or as several."""
    return [words] if isinstance(words, str) else words
