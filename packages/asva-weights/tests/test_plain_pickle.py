"""Arrays of a pickle made of bytes, shapes and plain types: crafted ones do not reach numpy, nor fill the memory."""

import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from asva_weights import ConversionError, read_arrays


class Crafted:
    """Pickled as a call of `function` with `arguments`, and a state."""

    def __init__(self, function, *arguments, state=None):
        self.called = (function, arguments, state)

    def __reduce__(self):
        return self.called


def array(dtype, data, shape=(2,)):
    """An array as numpy pickles it, whatever type and bytes are."""
    from numpy._core.multiarray import _reconstruct

    return Crafted(_reconstruct, np.ndarray, (0,), b"b", state=(1, shape, dtype, False, data))


def test_arrays_come_back_as_they_were(tmp_path):
    tree = {
        "a": {"f": np.arange(6.0).reshape(2, 3), "b": np.array([True])},
        "c": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
        "d": np.float16(3),
    }
    for protocol in (3, 4):
        (tmp_path / "x").write_bytes(pickle.dumps(tree, protocol))
        found = read_arrays(tmp_path / "x")
        assert found.keys() == {"a/f", "a/b", "c", "d"} and found["c"].dtype == ">i4"
        assert all(np.array_equal(found[name], value) for name, value in (tree["a"] | tree).items() if name in found)


def test_arrays_of_an_archive_of_torch(tmp_path):
    given = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(3)}
    torch.save(given, tmp_path / "x")
    found = read_arrays(tmp_path / "x")
    assert found.keys() == given.keys() and all(np.array_equal(found[name], given[name]) for name in given)
    with zipfile.ZipFile(tmp_path / "packed", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packed/data.pkl", pickle.dumps(given))
    with pytest.raises(ConversionError, match="packed: its pickle is compressed"):
        read_arrays(tmp_path / "packed")


def many(depth: int) -> dict:
    tree = {"x": np.zeros(1)}
    for _ in range(depth):
        tree = dict.fromkeys("abcdefgh", tree)
    return tree


REFUSED = {
    # A type of objects, whose bytes would be taken for their addresses.
    "objects": pickle.dumps({"x": array(Crafted(np.dtype, "O8", False, True), b"A" * 16)}),
    "fields": pickle.dumps({"x": array(np.dtype([("a", "O")]), [1, 2])}),
    "short": pickle.dumps({"x": array(np.dtype("f8"), b"A" * 8)}),
    "negative": pickle.dumps({"x": array(np.dtype("f8"), b"A" * 16, (-2, -1))}),
    "huge": pickle.dumps({"x": array(np.dtype("f8"), b"A" * 16, (2**40, 2**40))}),
    "memo": b"\x80\x02]r\xff\xff\xff\x7f.",  # a list, kept at the place 2**31 of the memo
    "bytes": b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b".",
    "twice": pickle.dumps(many(9)),
    "code": pickle.dumps({"x": Crafted(print, "run")}),
    "state": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}X\x08\x00\x00\x00__init__K\x01s\x86b.",
    "cut": pickle.dumps({"x": np.zeros(9)})[:-7],
    "empty": b"",
}


READ = """
import sys
from asva_weights import ConversionError, read_arrays
for name in sys.argv[1:]:
    try:
        read_arrays(name)
    except ConversionError as error:
        print(error)
"""


def test_what_is_no_plain_array_is_refused(tmp_path):
    """In a process of its own: some of these ended the reader of before, or filled the memory."""
    for name, data in REFUSED.items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run([sys.executable, "-c", READ, *REFUSED], cwd=tmp_path, capture_output=True, timeout=60)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and len(lines) == len(REFUSED), done.stderr.decode()
    for name, line in zip(REFUSED, lines, strict=True):
        assert line.startswith(f"`path` must hold NumPy arrays by name only, got {name}: ")


def test_arrays_of_the_second_form_are_read(tmp_path):
    (tmp_path / "second").write_bytes(pickle.dumps({"x": np.arange(250.0)}, protocol=2))
    assert (read_arrays(tmp_path / "second")["x"] == np.arange(250.0)).all()
