"""First frame and sound of real recordings, any size and frame rate: every command ends in a valid file."""

import json
import os
from pathlib import Path

import pytest

from asva_data import probe

CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", Path(__file__).parents[4] / "shared" / "clips")) / "real"
FILES = sorted(CLIPS.glob("*.mp4"))[::13][:10]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILES, reason=f"no real clips in {CLIPS}; set ASVA_CLIPS_DIR"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sample_makes_a_video_of_a_real_clip(asva, path, tmp_path):
    ended = asva("sample", "--image", path, "--audio", path, "--output", "video.mp4")
    assert ended.code == 0, ended.err
    info = probe(tmp_path / "video.mp4")
    assert (info.codec, info.fps) == ("h264", 24) and info.duration == pytest.approx(2.0, abs=1 / 24)
    assert json.loads((tmp_path / "video.json").read_text())["num_frames"] == 48


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("source", ["sound", "motion"])
def test_keyframes_are_found_in_a_real_clip(asva, path, source, tmp_path):
    ended = asva("keyframes", path, "--from", source, "--json", "curve.json", "--plot", "curve.png")
    assert ended.code == 0, ended.err
    assert (tmp_path / "curve.png").stat().st_size > 1000
    indices = json.loads((tmp_path / "curve.json").read_text())["keyframes"]["indices"]
    assert indices[0] == 0 and indices == sorted(set(indices))
