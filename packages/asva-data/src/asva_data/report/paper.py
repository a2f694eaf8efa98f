"""Tables of a report to copy into a paper: LaTeX, and an SVG that looks the same anywhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

from .blocks import Bar, Block, Card, Fold, Grid, Section, Table, pieces

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}
ROW, GAP, MARGIN = 18, 18, 6
"""Points of the SVG: height of a row, space between columns, space around."""


def tables_of(sections: Sequence[Section]) -> Iterator[tuple[str, Table]]:
    """Every table of a report and a file name for it: the section's, with a number where it holds several."""
    for section in sections:
        found = list(_tables(section.blocks))
        for number, table in enumerate(found, start=1):
            yield (section.name if len(found) == 1 else f"{section.name}-{number}"), table


def table_latex(table: Table) -> str:
    """A ``tabular`` of the package booktabs.

    Example:
        >>> print(table_latex(Table(("score", "a_b"), [("F1", "0.5 [0.4, 0.6]")])))
        % needs \\usepackage{booktabs}
        \\begin{tabular}{ll}
        \\toprule
        score & a\\_b \\\\
        \\midrule
        F1 & 0.5 [0.4, 0.6] \\\\
        \\bottomrule
        \\end{tabular}
        <BLANKLINE>
    """
    head, *rows = (" & ".join(map(_escaped, row)) + r" \\" for row in _cells(table))
    begin = f"\\begin{{tabular}}{{{'l' * len(table.head)}}}"
    lines = [r"% needs \usepackage{booktabs}", begin, r"\toprule", head, r"\midrule", *rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def table_svg(table: Table) -> str:
    """The table with three lines, letters as outlines, black on nothing."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    rows, font, measure = _cells(table), FontProperties(size=10), TextToPath()
    widths = [
        max(measure.get_text_width_height_descent(cell, font, False)[0] for cell in column)
        for column in zip(*rows, strict=True)
    ]
    width = 2 * MARGIN + sum(widths) + GAP * (len(widths) - 1)
    height = 2 * MARGIN + ROW * len(rows)
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "asva"}):
        figure = Figure(figsize=(width / 72, height / 72), facecolor="none")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        for place, row in enumerate(rows):
            x = MARGIN
            for cell, size in zip(row, widths, strict=True):
                axes.text(x, MARGIN + ROW * (place + 0.5), cell, va="center", font=font, parse_math=False)
                x += size + GAP
        for y, weight in ((MARGIN, 1.2), (MARGIN + ROW, 0.6), (height - MARGIN, 1.2)):
            axes.plot((MARGIN, width - MARGIN), (y, y), color="black", lw=weight)
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    return file.getvalue()


def _tables(blocks: Sequence[Block]) -> Iterator[Table]:
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Card | Fold | Grid):
            yield from _tables(block.blocks)


def _cells(table: Table) -> list[list[str]]:
    """Head and rows as plain words on one line."""

    def plain(cell: str | Bar) -> str:
        words = f"{cell.share:.0%}" if isinstance(cell, Bar) else "".join(pieces(cell))
        return " ".join(words.split())

    return [[plain(cell) for cell in row] for row in (table.head, *table.rows)]


def _escaped(words: str) -> str:
    return re.sub("[" + re.escape("".join(ESCAPES)) + "]", lambda match: ESCAPES[match[0]], words)
