"""Bad files: all that ever failed, and half a minute of new ones. `nox -s fuzz -- SECONDS` gives more."""

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no fork", allow_module_level=True)

from fuzz.__main__ import CORPUS, FINE, attempt, run, seeds
from fuzz.readers import readers


@pytest.fixture(scope="module")
def known():
    return readers()


def test_good_files_are_read(known):
    """Else nothing is learned from those that are refused."""
    outcomes = {name: attempt(known[name], [data])[0] for name, data in seeds(known).items()}
    assert not {name: outcome for name, outcome in outcomes.items() if outcome.kind != "read"}


def test_what_ever_failed_is_refused(known):
    found = {}
    for name, reader in known.items():
        files = sorted(CORPUS.glob(f"{name}.*"))
        outcomes = attempt(reader, [path.read_bytes() for path in files])
        found |= {path.name: out for path, out in zip(files, outcomes, strict=True) if out.kind not in FINE}
    assert not found


def test_new_ones_are_refused_too():
    found = run(20.0, number=20261130, batch=4, corpus=None)
    assert not found["failures"], "\n".join(found["failures"])
    tried = {name: outcomes["refused"] for name, outcomes in found["counts"].items()}
    assert sum(tried.values()) > 100
