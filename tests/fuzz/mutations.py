"""Good files made bad: bytes changed, cut, doubled and mixed, words of texts replaced, and values by hypothesis."""

from __future__ import annotations

import json
import random
import re

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

LARGE = [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", bytes(4), b"\x7f", b"\xff" * 8, b"\0\0\0\x01"]
WORDS = (
    "1e999 -1e999 NaN Infinity -1 0 1e-320 99999999999999999999 null true {} [] \"\" '' , : - & * ! | > % @ ` # \t"
).split(" ")
WORDS += ["9" * 400, "9" * 5000, "[" * 2000, '{"a":' * 2000, "\n" * 3, "\0", "\u2028", "\ud7ff", "a" * 200_000]
WORDS += ["&a [*a]", "<<: {}", "!!python/object/apply:os.system [x]", "2001-99-99", "1:1:1", "../../x", "/etc/passwd"]


def mutated(good: list[bytes], text: bool, draw: random.Random) -> bytes:
    """One bad file after good ones."""
    data = bytearray(draw.choice(good))
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        place = draw.randrange(len(data) + 1)
        length = min(draw.choice((1, 2, 4, 16, 200)), len(data) - place)
        kind = draw.randrange(8 if text else 7)
        if kind == 0 and length:
            data[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[place : place + length] = draw.randbytes(length)
        elif kind == 2:
            del data[place : len(data) if draw.random() < 0.3 else place + length]
        elif kind == 3:
            data[place:place] = data[place : place + length] * draw.choice((1, 2, 50))
        elif kind == 4:
            large = draw.choice(LARGE)
            data[place : place + len(large)] = large
        elif kind == 5:
            other = draw.choice(good)
            data[place:] = other[draw.randrange(len(other) + 1) :]
        elif kind == 6:
            data[place:place] = draw.randbytes(length)
        else:
            parts = re.split(r"([\w.+-]+)", data.decode("utf-8", "surrogateescape"))
            parts[draw.randrange(len(parts))] = draw.choice(WORDS)
            data = bytearray("".join(parts).encode("utf-8", "surrogatepass" if draw.random() < 0.1 else "replace"))
    return bytes(data)


def invented(good: bytes, number: int, count: int) -> list[bytes]:
    """Texts of the form of a good one, with values by hypothesis: JSON, JSON lines, or cells of a table."""
    try:
        known = [json.loads(line) for line in good.decode().splitlines()]
    except ValueError:
        known = []
    keys = sorted({key for row in known if isinstance(row, dict) for key in row}) or ["a"]
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(10**400)
    value = st.recursive(
        plain,
        lambda v: st.lists(v, max_size=4) | st.dictionaries(st.sampled_from(keys) | st.text(max_size=4), v),
        max_leaves=9,
    )
    row = st.dictionaries(st.sampled_from(keys), value, max_size=len(keys)) | value
    cell = st.text(max_size=9) | st.floats().map(str) | st.integers().map(str)
    head = good.decode().splitlines()[:1]
    tables = st.lists(st.lists(cell, max_size=8).map(",".join), max_size=4).map(lambda rows: "\n".join(head + rows))
    texts = (
        st.lists(row, min_size=1, max_size=3).map(lambda rows: "\n".join(map(json.dumps, rows))) if known else tables
    )
    found: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(texts)
    def collect(made: str) -> None:
        found.append(made.encode("utf-8", "surrogatepass"))

    collect()
    return found
