"""The record of released weights: `tools/real.py` walked with KeyVID's files, small and random."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def record(monkeypatch, tmp_path):
    """What the tool wrote about a folder, asked for one clip."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "tools")
    monkeypatch.chdir(tmp_path)
    from real import main

    def write(method, folder, *words):
        main(method, str(folder), *words)
        return json.loads(Path(f"real-{method}.json").read_text(encoding="utf-8"))

    return write


def test_a_record_holds_hashes_keys_and_a_clip(record, released, tmp_path):
    told = record("keyvid", released, "--steps", "1", "--set", "interp_num_inference_steps=1", "--size", "32x32")
    assert told["files"].keys() == {str(path.relative_to(released)) for path in released.rglob("*") if path.is_file()}
    assert all(len(file["sha256"]) == 64 and file["bytes"] > 0 for file in told["files"].values())
    assert {"keyframe_unet", "interp_unet", "vae"} <= {part["name"] for part in told["parts"]}
    clip = told["clip"]
    assert clip["settings"]["num_inference_steps"] == 1 and clip["settings"]["alignment"] == "official"
    assert len(clip["levels"]) == clip["num_frames"] == len(clip["changes"]) + 1 and max(clip["changes"]) > 0
    assert (tmp_path / "real-keyvid.mp4").is_file()


def test_files_of_another_method_are_refused(record, released, tmp_path):
    with pytest.raises(SystemExit, match="must hold the files of mtv, got those of keyvid"):
        record("mtv", released)
    assert not list(tmp_path.iterdir())
