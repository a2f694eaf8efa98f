"""report.md: words of files and people cannot become markup, what is code or strong is marked as such."""

import pytest

from asva_eval.blocks import Code, Items, Strong, Table
from asva_eval.markdown import _block


@pytest.mark.parametrize(
    ("piece", "written"),
    [
        ("a | b", "a | b"),
        ("<script>", "\\<script>"),
        ("**no** [link](x)", "\\*\\*no\\*\\* [link]\\(x)"),
        ("0.1 [0.0, 0.2]", "0.1 [0.0, 0.2]"),
        ("two\nlines", "two lines"),
        (Code("a_b.mp4"), "`a_b.mp4`"),
        (Code("a`b<i>"), "`` a`b<i> ``"),
        (Strong("FVD"), "**FVD**"),
    ],
)
def test_pieces(piece, written):
    assert _block(Items([["x: ", piece]])) == f"- x: {written}"


def test_a_bar_does_not_part_cells():
    assert _block(Table(("a",), [("x|y",)])).splitlines()[-1] == "| x\\|y |"
