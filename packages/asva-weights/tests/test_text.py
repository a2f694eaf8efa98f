"""Text that others wrote: sizes, pipes, and one line that names the file whatever is wrong."""

import csv
import os

import pytest

from asva_weights.limits import Limits
from asva_weights.text import read_table, read_text, reading


class TableError(ValueError):
    pass


def test_whatever_goes_wrong_is_one_line_with_the_name(tmp_path):
    path = tmp_path / "a.csv"
    for problem in (
        ValueError("no number"),
        OverflowError("too\nlarge"),
        RecursionError(),
        IndexError("x"),
        csv.Error("y"),
    ):
        with (
            pytest.raises(TableError, match=r"^`table` must have rows, got .*a\.csv: .+\.$"),
            reading(path, "`table` must have rows", TableError),
        ):
            raise problem
    with pytest.raises(TableError, match=r"^row 3 of a\.csv is short$"), reading(path, "`table` must", TableError):
        raise TableError("row 3 of a.csv is short")


def test_tables(tmp_path):
    (tmp_path / "a.csv").write_text('\ufeffpath,caption\na,"two\nlines"\nb,\u2028\n', encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"path": "a"}\n\n{"path": "b\u2028"}\n', encoding="utf-8")
    assert read_table(tmp_path / "a.csv") == [
        {"path": "a", "caption": "two\nlines"},
        {"path": "b", "caption": "\u2028"},
    ]
    assert read_table(tmp_path / "a.jsonl") == [{"path": "a"}, {"path": "b\u2028"}]
    for name, text in {"b.csv": "a,b\n1,2,3\n", "b.jsonl": "[1]\n", "b.txt": ""}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"cells than the header|neither \.csv"):
            read_table(tmp_path / name)


def test_no_more_is_read_than_allowed(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("x" * 100, encoding="utf-8")
    monkeypatch.setattr("asva_weights.text.limits", lambda: Limits(text=99))
    with pytest.raises(ValueError, match="it has more than 0 MiB"):
        read_text(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="a pipe or a device"):
        read_text(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="a pipe or a device"):
        read_table(tmp_path / "a.csv")
