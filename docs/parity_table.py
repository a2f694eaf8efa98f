"""Writes the ledger of docs/numerics.md from a run of the parity tests.

Every test whose id names a fixture counts. Its differences are those that ``torch.testing.assert_close`` sees, and
those that the test records itself with ``record_property("parity:<fixture>", difference)``.
"""

import datetime
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import torch

ROOT = Path(__file__).parents[1]
FIXTURES = Path(os.environ.get("ASVA_PARITY_DIR", ROOT.parent / "shared" / "parity"))
LEDGER = ROOT / "docs" / "numerics.md"
FAMILIES = ("keyvid", "asva")
BEGIN, END = "<!-- parity table -->\n", "<!-- end of parity table -->"
# The longest prefix that fits a fixture's name counts.
TOLERANCES = {
    "a_unet": "1e-5",
    "a2_unet": "1e-5",
    "b_unet": "1e-5",
    "c_resampler": "1e-5",
    "d_audio": "1e-5",
    "d2_audio": "1e-5",
    "e_vae": "2e-5",
    "f_ddim": "1e-4",
    "f2_ddim": "1e-4",
    "full_keys": "exact",
    "g_keyframe_select": "exact",
    "h_localizer": "1e-5",
    "i_noise": "1e-6",
    "j_imagebind": "2e-5",
    "j2_imagebind": "2e-5",
    "j3_posembed": "2e-5",
    "k_openclip": "2e-5",
    "l_openclip": "2e-5",
    "m_stage": "1e-4",
    "avsync": "2e-4",
    "beats": "2e-5",
    "frechet": "relative 1e-5",
    "i3d": "2e-4",
    "imagebind_clip": "2e-5",
    "inception": "2e-4",
    "metrics": "1e-5",
    "image_preproc": "1e-6",
    "imagebind_audio": "2e-5",
    "mel": "1e-5",
    "pipeline": "2e-3",
    "resnet": "2e-5",
    "sampling": "exact",
    "train_loss": "1e-4",
    "transformer_block": "2e-5",
    "unet": "5e-5",
}


class Ledger:
    """A pytest plugin that keeps the parity tests alone and notes their largest differences."""

    def __init__(self, fixtures: set[str]) -> None:
        self.fixtures = fixtures
        self.largest: dict[tuple[str, str], float] = {}

    def fixture_of(self, item: pytest.Item) -> str | None:
        named = [name for name in self.fixtures if f"[{name}" in item.name or f"-{name}" in item.name]
        return max(named, key=len, default=None)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self.fixture_of(item)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        key = (item.path.relative_to(ROOT / "packages").parts[0], self.fixture_of(item))
        compare = torch.testing.assert_close

        def noting(actual, expected, **options):
            compare(actual, expected, **options)
            self.note(key, torch.as_tensor(actual), torch.as_tensor(expected))

        self.largest.setdefault(key, 0.0)
        with mock.patch("torch.testing.assert_close", noting):
            result = yield
        recorded = [value for name, value in item.user_properties if name == f"parity:{key[1]}"]
        self.largest[key] = max([self.largest[key], *recorded])
        return result

    def note(self, key: tuple[str, str], actual: torch.Tensor, expected: torch.Tensor) -> None:
        if actual.numel():
            difference = (actual.double() - expected.double()).abs().nan_to_num(0.0).max().item()
            self.largest[key] = max(self.largest[key], difference)


def main() -> None:
    """Run the parity tests of the packages that are named, of all by default, and rewrite the table."""
    found = (path.stem for family in FAMILIES for path in FIXTURES.glob(f"{family}/*.json"))
    ledger = Ledger({name for name in found if name != "RULE"})  # a rule for making weights, not a fixture
    if not ledger.fixtures:
        sys.exit(f"{FIXTURES} holds no fixtures: set `ASVA_PARITY_DIR` to their folder.")
    code = pytest.main(["-q", *(sys.argv[1:] or [str(ROOT / "packages")])], plugins=[ledger])
    if code:
        sys.exit(f"The tests failed ({code}): {LEDGER.name} stays as it is.")
    text = LEDGER.read_text()
    LEDGER.write_text(text.split(BEGIN)[0] + BEGIN + table(ledger) + END + text.split(END)[1])


def table(ledger: Ledger) -> str:
    """The rows in Markdown, by fixture and package, and the fixtures that no test has read."""
    today = datetime.date.today().isoformat()
    rows = [
        f"| `{fixture}` | {package} | {tolerance(fixture)} | {shown(difference)} | {today} |"
        for (package, fixture), difference in sorted(ledger.largest.items(), key=lambda entry: entry[0][::-1])
    ]
    unread = sorted(ledger.fixtures - {fixture for _, fixture in ledger.largest})
    rows += [f"| `{fixture}` | | {tolerance(fixture)} | not tested | {today} |" for fixture in unread]
    head = ["| fixture | package | tolerance | largest difference | date |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def shown(difference: float) -> str:
    return "0" if difference == 0 else f"{difference:.1e}"


def tolerance(fixture: str) -> str:
    """What the fixture's tests assert, largest absolute difference."""
    fitting = [prefix for prefix in TOLERANCES if fixture.startswith(prefix)]
    return TOLERANCES[max(fitting, key=len)] if fitting else "see its test"


if __name__ == "__main__":
    main()
