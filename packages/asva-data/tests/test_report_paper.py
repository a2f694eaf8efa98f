"""Tables for papers: names that are markup elsewhere, every table of a report, pictures that hold what they show."""

import re

from asva_data.report.blocks import Bar, Code, Fold, Paragraph, Section, Table
from asva_data.report.paper import table_latex, table_svg, tables_of

TABLE = Table(("side", "100% & more"), [(Code("a_b\\c"), "0.5 [0.4, 0.6]"), ("x\ny", Bar(0.25, "blue"))])


def test_latex_escapes_what_is_markup_there():
    lines = table_latex(TABLE).splitlines()
    assert lines[1] == r"\begin{tabular}{ll}" and lines[3] == r"side & 100\% \& more \\"
    assert lines[5:7] == [r"a\_b\textbackslash{}c & 0.5 [0.4, 0.6] \\", r"x y & 25\% \\"]
    assert all(table_latex(Table((sign,), [])).count(sign) for sign in "&%$#_{}")


def test_a_picture_is_as_wide_as_its_words_and_the_same_each_time():
    svg, wider = table_svg(TABLE), table_svg(Table((*TABLE.head, "another"), [(*row, "$1$") for row in TABLE.rows]))
    widths = [float(re.search(r'width="([\d.]+)pt"', one)[1]) for one in (svg, wider)]
    assert 100 < widths[0] < widths[1] and svg == table_svg(TABLE)
    assert svg.count("<use") > len("side100%&morea_b\\c0.5[0.4,0.6]xy25%") - 5 and "<text" not in svg


def test_every_table_has_a_name():
    blocks = [Fold("one", [TABLE, Paragraph("words")]), TABLE]
    found = tables_of([Section("scores", "Scores", [TABLE]), Section("classes", "Classes", blocks)])
    assert [name for name, _ in found] == ["scores", "classes-1", "classes-2"]
