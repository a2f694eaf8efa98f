"""Writes the ledger of docs/numerics.md from a run of the parity tests.

Every test whose id names a fixture counts; where two families have one of the same name, the test's ``parity`` marker
says whose it is. Its differences are those that ``torch.testing.assert_close`` sees, and those that the test records
itself with ``record_property("parity:<name>", difference)``.
"""

import datetime
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import torch

ROOT = Path(__file__).parents[1]
FIXTURES = Path(os.environ.get("ASVA_PARITY_DIR", ROOT.parent / "shared" / "parity"))
LEDGER = ROOT / "docs" / "numerics.md"
# A fixture is a JSON file, or an array file that stands alone. An id without marker belongs to the first family.
PATTERNS = ("keyvid/*.json", "asva/*.json", "mtv/*.json", "mtv/mtvnet_*.npz", "mtv/mtv_schedule*.npz")
PATTERNS += ("desync/*.json", "pe_av/*.json", "baselines/*.json", "ltx2/*.json")
FAMILIES = ("keyvid", "asva", "mtv", "desync", "pe_av", "baselines", "ltx2")
BEGIN, END = "<!-- parity table -->\n", "<!-- end of parity table -->"
# The longest prefix that fits a fixture's name, with or without its family, counts.
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
    "baselines/codi_clap": "1e-5; log mel 1e-3",
    "baselines/codi_clip_context": "1e-5",
    "baselines/codi_joint": "3e-5; steps 1e-3",
    "baselines/codi_video_unet": "3e-5; steps 1e-3",
    "baselines/mmd_sampling": "relative 1e-4",
    "baselines/mmd_sr_unet": "2e-5; sampled 1e-4",
    "baselines/mmd_unet": "3e-5; clean sample 3e-4",
    "baselines/tpos_encoder": "2e-5",
    "baselines/tpos_preprocess": "1e-4",
    "baselines/tpos_sampling": "relative 1e-4",
    "baselines/tpos_train_loss": "1e-5; gradients relative 1e-3",
    "baselines/tpos_unet": "2e-5",
    "baselines/tt_audio": "2e-5; filter bank 1e-4",
    "baselines/tt_mapper": "1e-5",
    "baselines/tt_sampling": "relative 1e-4",
    "baselines/tt_text": "1e-5",
    "baselines/tt_train_loss": "1e-5; gradients relative 1e-3",
    "baselines/tt_unet": "2e-5",
    "baselines/vc_ddim": "5e-4; clean samples 1e-3",
    "baselines/vc_image_embedder": "2e-5",
    "baselines/vc_unet": "1e-5",
    "baselines/xing_aligner": "1e-4",
    "desync/desync_aggregate": "1e-7",
    "desync/desync_fps": "exact",
    "desync/desync_frames": "exact; 1e-6 where normalised",
    "desync/desync_mel": "1e-5",
    "desync/synchformer": "2e-5",
    "desync/synchformer_e2e": "5e-5",
    "desync/synchformer_full": "1e-4",
    "desync/synchformer_head": "1e-5",
    "ltx2/ltx2": "1e-5",
    "ltx2/ltx2_sigmas": "1e-6",
    "ltx2/ltx2_step": "2e-5; stages 5e-5",
    "pe_av/head_keys": "exact",
    "pe_av/syncreward_head": "1e-5",
    "pe_av/syncreward_windows": "exact",
    "mtv/avalign": "flow 1e-9, envelope 1e-6 (wanted: 5e-7)",
    "mtv/avalign_rules": "exact",
    "mtv/frechet": "1e-5",
    "mtv/mtv_plan": "exact",
    "mtv/mtv_schedule": "1e-7",
    "mtv/mtvnet": "2e-5",
    "mtv/mtvnet_multi_params": "exact",
    "mtv/mtvnet_single_params": "exact",
    "mtv/syncnet": "1e-5",
    "mtv/syncnet_net": "relative 1e-4",
    "mtv/wav2vec": "5e-6",
}


class Ledger:
    """A pytest plugin that keeps the parity tests alone and notes their largest differences."""

    def __init__(self, fixtures: set[str]) -> None:
        self.fixtures = fixtures
        self.largest: dict[tuple[str, str], float] = {}

    def fixture_of(self, item: pytest.Item) -> str | None:
        """``family/name`` of the fixture that the id names, None of a test that reads none."""
        families = [marker.args[0].partition("/")[0] for marker in item.iter_markers("parity")] or FAMILIES
        known = [fixture.partition("/") for fixture in self.fixtures]
        named = [(name, family) for family, _, name in known if f"[{name}" in item.name or f"-{name}" in item.name]
        named = [(name, family) for name, family in named if family in families]
        if not named:
            return None
        name = max((name for name, _ in named), key=len)
        return next(f"{family}/{name}" for family in FAMILIES if (name, family) in named)

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
        recorded = [value for name, value in item.user_properties if name == f"parity:{key[1].partition('/')[2]}"]
        self.largest[key] = max([self.largest[key], *recorded])
        return result

    def note(self, key: tuple[str, str], actual: torch.Tensor, expected: torch.Tensor) -> None:
        if actual.numel():
            difference = (actual.double() - expected.double()).abs().nan_to_num(0.0).max().item()
            self.largest[key] = max(self.largest[key], difference)


def main() -> None:
    """Run the parity tests that are named, of all packages by default, and rewrite their rows of the table."""
    found = (path for pattern in PATTERNS for path in FIXTURES.glob(pattern))
    # RULE says how weights are made, it is no fixture
    ledger = Ledger({f"{path.parent.name}/{path.stem}" for path in found if path.stem != "RULE"})
    if not ledger.fixtures:
        sys.exit(f"{FIXTURES} holds no fixtures: set `ASVA_PARITY_DIR` to their folder.")
    code = pytest.main(["-q", *(sys.argv[1:] or [str(ROOT / "packages")])], plugins=[ledger])
    if code:
        sys.exit(f"The tests failed ({code}): {LEDGER.name} stays as it is.")
    text = LEDGER.read_text(encoding="utf-8")
    old = {} if len(sys.argv) == 1 else rows_of(text)  # what was not run keeps its row
    LEDGER.write_text(text.split(BEGIN)[0] + BEGIN + table(ledger, old) + END + text.split(END)[1], encoding="utf-8")


def rows_of(text: str) -> dict[tuple[str, str], str]:
    """The rows of a table by package and fixture."""
    rows = [line for line in text.split(BEGIN)[1].split(END)[0].splitlines() if line.startswith("| `")]
    return {
        (package, fixture): row for row in rows for fixture, package in [re.findall(r"^\| `(.*?)` \| (.*?) \|", row)[0]]
    }


def table(ledger: Ledger, old: dict[tuple[str, str], str]) -> str:
    """The rows in Markdown, by fixture and package, and the fixtures that no test has read."""
    today = datetime.date.today().isoformat()
    new = {
        (package, fixture): f"| `{fixture}` | {package} | {tolerance(fixture)} | {shown(difference)} | {today} |"
        for (package, fixture), difference in ledger.largest.items()
    }
    found = {key: row for key, row in (old | new).items() if key[0]}
    rows = [row for _, row in sorted(found.items(), key=lambda entry: entry[0][::-1])]
    unread = sorted(ledger.fixtures - {fixture for _, fixture in found})
    rows += [f"| `{fixture}` | | {tolerance(fixture)} | not tested | {today} |" for fixture in unread]
    head = ["| fixture | package | tolerance | largest difference | date |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def shown(difference: float) -> str:
    return "0" if difference == 0 else f"{difference:.1e}"


def tolerance(fixture: str) -> str:
    """What the fixture's tests assert, largest absolute difference."""
    name = fixture.partition("/")[2]
    fitting = [prefix for prefix in TOLERANCES if fixture.startswith(prefix) or name.startswith(prefix)]
    return TOLERANCES[max(fitting, key=len)] if fitting else "see its test"


if __name__ == "__main__":
    main()
