"""What users of diffusers can do with each network and pipeline of ours: every cell is tried, as the tests try it.

`python benchmarks/diffusers_users.py`, ten minutes; the column of int8 needs torchao beside, which no package asks for.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from results import table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fixtures import networks, pipelines  # noqa: E402  # they lie beside the tests
from fixtures.diffusers_reasons import WITHOUT, reason  # noqa: E402

REASONS = list(dict.fromkeys(WITHOUT.values()))


class Outcomes:
    """What became of each cell."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.found[report.nodeid.partition("[")[2].removesuffix("]")] = report.outcome


def rows(names: Sequence[str], features: Sequence[str], found: dict[str, str]) -> list[list[str]]:
    """Words for the cells, the head first."""
    words = {"passed": "yes", "skipped": "not run"}
    told = [["", *features]]
    for name in names:
        cells = [(found[f"{name}: {feature}"], reason(name, feature)) for feature in features]
        told.append([name, *(f"no ({REASONS.index(why) + 1})" if why else words[outcome] for outcome, why in cells)])
    return told


def main() -> None:
    for kind, names, features in (
        ("networks", list(networks.NETWORKS), list(networks.FEATURES)),
        ("pipelines", pipelines.METHODS, list(pipelines.FEATURES)),
    ):
        outcomes = Outcomes()
        which = ["-q", "-m", "slow or not slow", "-k", f"test_{kind}", "-p", "no:cacheprovider"]
        if pytest.main([*which, str(ROOT / "tests" / "test_diffusers_users.py")], plugins=[outcomes]):
            sys.exit("A cell does not do what the table says.")
        print(table(f"diffusers_users/{kind}", rows(names, features, outcomes.found)))
    numbered = [[f"({number})", why] for number, why in enumerate(REASONS, 1)]
    print(table("diffusers_users/reasons", [["", "why not"], *numbered]))


if __name__ == "__main__":
    main()
