"""Markdown: words of files and people cannot become markup, what is code or strong is marked as such."""

import pytest

from asva_data.report.blocks import Code, Figure, Fold, Items, Paragraph, Section, Strong, Table
from asva_data.report.markdown import block_text, to_markdown


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
    assert block_text(Items([["x: ", piece]])) == f"- x: {written}"


def test_a_bar_does_not_part_cells():
    assert block_text(Table(("a",), [("x|y",)])).splitlines()[-1] == "| x\\|y |"


def test_sections_folds_and_what_has_no_place():
    fold = Fold("sync", [Table(("class", "made"), [("bell", Strong("0.5"))])])
    text = to_markdown("Trial", [Section("a", "First", [Paragraph(["see ", Code("b.md")]), fold])])
    assert (
        text == "# Trial\n\n## First\n\nsee `b.md`\n\n### sync\n\n| class | made |\n| --- | --- |\n| bell | **0.5** |\n"
    )
    with pytest.raises(TypeError, match="`block` must be text, a list or a table, got Figure"):
        block_text(Figure("<svg></svg>", "a line"))
