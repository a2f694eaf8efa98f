"""docs/claims.md has a row for every table and figure of the papers, and what it names exists."""

import re
import shlex
from pathlib import Path

import pytest
from test_readme import assert_asva_knows

PAGE = Path(__file__).parents[1] / "docs" / "claims.md"
# Numbers of the tables and figures that each paper holds.
PAPERS = {
    "KeyVID": {"Table": (1, 2), "Figure": (1, 2, 3, 4)},
    "Audio-Synchronized Visual Animation": {"Table": (1, 2), "Figure": (1, 2, 3, 4, 5, 6)},
    "Scaling up": {"Table": (1, 2, 3), "Figure": (1, 2, 3, 4)},
    "MTV": {"Table": (1, 2, 3), "Figure": (1, 2, 3, 4, 5, 6, 7, 8)},
}


def rows(paper):
    section = re.search(rf"^## {paper}.*?\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)[1]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines() if row[:2] == "| "]
    return [row for row in cells if row[0].startswith(("Table", "Figure"))]


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_and_figure_has_a_row(paper):
    for kind, numbers in PAPERS[paper].items():
        found = {int(one) for row in rows(paper) if row[0].startswith(kind) for one in re.findall(r"\d+", row[0])}
        assert found == set(numbers), f"{paper}: {kind} {sorted(found ^ set(numbers))}"
    assert all(len(row) == 5 and all(row) for row in rows(paper))


@pytest.mark.parametrize("paper", PAPERS)
def test_commands_exist(paper):
    commands = [words for row in rows(paper) for words in re.findall(r"`asva ([^`]+)`", row[2])]
    assert commands
    for words in commands:
        assert_asva_knows(shlex.split(words), PAGE)
