"""Motion by RAFT, stored beside videos: what trainings read as labels."""

import numpy as np
import pytest
import torch

pytest.importorskip("torchvision", reason="needs the extra asva-keyframe[raft]")

from asva_data import SyntheticWorld, write_video
from asva_keyframe import load_raft, motion_curve
from asva_train import load_recipe
from asva_train.beside import store_motion_scores
from asva_train.clips import clip_source


@pytest.fixture
def raft(tmp_path):
    from torchvision.models.optical_flow import raft_large

    path = tmp_path / "raft.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(raft_large(weights=None, progress=False).state_dict(), path)
    return path


def test_scores_are_stored_beside_and_read_as_labels(raft, tmp_path):
    home = tmp_path / "videos"
    clip = SyntheticWorld(seed=0, size=32, num_frames=3, fps=6.0)[0]
    (home / "a_bell").mkdir(parents=True)
    write_video(home / "a_bell" / "0.mkv", clip.frames, fps=6, waveform=clip.waveform, sample_rate=16000)
    (home / "a_bell" / "1.mp4").write_bytes(b"no video")
    ((failed, reason),) = store_motion_scores(home, raft)
    assert failed.name == "1.mp4" and "1.mp4" in reason
    scores = np.load(home / "a_bell" / "0.npy")
    fields = {"kind": "folder", "root": str(home), "height": 32, "width": 32, "num_frames": 3, "fps": 6}
    data = {f"data.{name}": value for name, value in fields.items()} | {"data.motion_scores": "beside"}
    seen = clip_source(load_recipe("tiny-avsyncd", data).data)[0]
    own = motion_curve(seen.frames, method="raft", model=load_raft(raft))
    np.testing.assert_allclose(scores, own, rtol=1e-4)
    np.testing.assert_allclose(seen.motion_curve[1:], scores, rtol=0.02)  # the piece may begin within a frame
    written = (home / "a_bell" / "0.npy").stat().st_mtime_ns
    store_motion_scores(home, raft)
    assert (home / "a_bell" / "0.npy").stat().st_mtime_ns == written
