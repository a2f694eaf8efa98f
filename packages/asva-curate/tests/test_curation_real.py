"""The recipes run through real clips, and every file is accounted for."""

import os
from pathlib import Path

import pytest

from asva_curate import count_reasons, decide, load_recipe, measure_safely, settle

FOLDER = Path(os.environ.get("ASVA_CLIPS_DIR", Path(__file__).parents[4] / "shared" / "clips")) / "real"
CLIPS = sorted(FOLDER.glob("*.mp4"))[::8]


@pytest.mark.skipif(not CLIPS, reason="no real clips; set ASVA_CLIPS_DIR")
def test_recipes_run_through():
    measured = [measure_safely(path, label="real") for path in CLIPS]
    assert all(item.ok for item in measured)
    for name in ("open-asva", "avsync-ac"):
        recipe = load_recipe(name, {"whole.min_per_class": 0})
        verdicts = settle(measured, [decide(item, recipe) for item in measured], recipe)
        counts = count_reasons(verdicts)
        assert sum(counts["files"].values()) == len(CLIPS)
        assert counts["files"]["kept"] >= 0.7 * len(CLIPS)
