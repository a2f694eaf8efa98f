"""Sync classifiers: both learn, export and go on; what a sample holds; errors at the door."""

import numpy as np
import pytest
import torch
from fixtures.fake_gpu import learn_on_fake_gpu

from asva_metrics import AVSyncClassifier, SmallSyncClassifier, invert_network
from asva_train import Run, RunError, load_recipe, make_task
from asva_train.tasks.sync import shifted_clips_view, small_sync_view
from asva_train.training_clip import TrainingClip

STEPS = {"loop.max_steps": 2, "loop.warmup_steps": 0, "loop.log_every": 1, "data.workers": 0}
SMALL = STEPS | {
    "loop.batch_size": 2,
    "data.height": 32,
    "data.width": 32,
    "model": {"size": 32, "video_widths": [8, 8, 8], "audio_widths": [8, 8, 8], "width": 16, "embed_dim": 8},
}
WIDTHS = {"widths": [8, 8, 8, 8], "hidden": [8, 8]}
SHIFTED = STEPS | {
    "data.kind": "synthetic",
    "data.height": 32,
    "data.width": 32,
    "data.num_frames": 78,
    "num_shifts": 4,
    "loop.batch_size": 1,
    "loop.mixed_precision": "no",
    "model": WIDTHS,
}


@pytest.mark.parametrize(
    ("recipe", "settings", "kind", "name"),
    [
        ("tiny-sync", SMALL, SmallSyncClassifier, "small_sync"),
        ("sync-avsync", SHIFTED, AVSyncClassifier, "sync"),
    ],
)
def test_learns_and_exports(recipe, settings, kind, name, tmp_path):
    task = make_task(load_recipe(recipe, settings), tmp_path)
    before = {key: value.clone() for key, value in task.network.named_parameters()}
    seen = []
    Run(task, tmp_path, device="cpu").train(seen.append)
    assert len(seen) == 2 and all(np.isfinite(p.losses["loss"]) and 0 <= p.losses["found"] <= 1 for p in seen)
    changed = [key for key, value in task.network.named_parameters() if not torch.equal(value, before[key])]
    assert len(changed) > 0.8 * len(before)
    kind.from_pretrained(tmp_path / name)
    again = make_task(load_recipe(recipe, settings | {"init": str(tmp_path / name)}), tmp_path)
    exported = kind.from_pretrained(tmp_path / name).state_dict()
    assert all(torch.equal(value, exported[key]) for key, value in again.network.state_dict().items())


def whole_clip(seconds, fps):
    """Frames that show their number, and a sound that holds the second of each sample."""
    frames = np.zeros((round(seconds * fps), 4, 8, 3), np.uint8)
    frames[:, :, :4] = np.arange(len(frames))[:, None, None, None]
    sound = np.arange(round(seconds * 16000), dtype=np.float32) / 16000
    moving = np.ones(frames.shape[:3], bool)
    return TrainingClip(
        frames=frames, waveform=sound, caption="", motion_curve=np.zeros(len(frames), np.float32), class_index=0,
        moving=moving, visible=(0,),
    )  # fmt: skip


def test_shifted_clips_are_cut_as_published():
    recipe = load_recipe("sync-avsync")
    sample = shifted_clips_view(whole_clip(6.0, 30), torch.Generator().manual_seed(0), recipe=recipe)
    assert sample["clips"].shape == (21, 12, 3, 4, 8) and sample["mel"].shape == (21, 1, 128, 204)
    shown = sample["clips"].amax(dim=(2, 3, 4))
    assert torch.equal(shown[:, 0], torch.arange(21) * 6) and torch.equal(shown[3], 18 + 5 * torch.arange(12))
    mirrored = sample["clips"][:, 1, 0, 0, 0] == 0
    assert 3 < mirrored.sum() < 18


def test_the_small_classifier_is_asked_for_the_shift_that_brings_the_sound_back():
    from asva_data import SyntheticWorld

    clip = SyntheticWorld(3, size=32, num_frames=72, classes="hammer", two_objects=0.0)[0]
    clip = TrainingClip(
        frames=clip.frames, waveform=np.zeros(48000, np.float32), caption="", motion_curve=clip.motion_score,
        class_index=0, moving=clip.mask, visible=(0,),
    )  # fmt: skip
    moments = np.arange(8) * 0.37 + 0.1
    clip.waveform[np.round(moments * 16000).astype(int)] = 1.0
    samples = [small_sync_view(clip, torch.Generator().manual_seed(k), fps=24.0) for k in range(12)]
    assert {tuple(s["luma"].shape) for s in samples} == {(48, 32, 32)}
    assert {tuple(s["waveform"].shape) for s in samples} == {(32000,)}
    shifts = np.array([s["shift"] for s in samples])
    assert (shifts == 0).any() and (shifts != 0).sum() > 4 and np.abs(shifts).max() <= 2


@pytest.mark.parametrize(
    ("recipe", "settings", "message"),
    [
        ("sync-avsync", {"data.num_frames": 100, "data.kind": "synthetic"}, "`data.num_frames` must be at least 180"),
        ("sync-avsync", {"data.fps": 25, "data.kind": "synthetic"}, "`data.fps` must be a multiple of 6"),
        ("tiny-sync", {"data.num_frames": 40}, "`data.num_frames` must be at least 48"),
        ("tiny-sync", {"init": "absent"}, "`small_sync` must be in"),
    ],
)
def test_bad_recipes(recipe, settings, message, tmp_path):
    with pytest.raises(RunError, match=message):
        make_task(load_recipe(recipe, settings), tmp_path)


def test_starts_from_avid_cma(tmp_path):
    donor, full = AVSyncClassifier(), SHIFTED | {"model": {}}  # published files are of the full size
    state = {
        key.replace("audio_encoder.", "module.audio_model.").replace("video_encoder.", "module.video_model."): value
        for key, value in invert_network(donor.state_dict(), "avsync").items()
    }
    state = {key: value for key, value in state.items() if not key.startswith("head.")} | {
        "module.other": torch.ones(1)
    }
    torch.save({"model": state, "epoch": 3}, tmp_path / "avid.pth")
    task = make_task(load_recipe("sync-avsync", full | {"init": str(tmp_path / "avid.pth")}), tmp_path)
    ours, theirs = task.network.state_dict(), donor.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours if not key.startswith("head."))
    torch.save({"model": dict(list(state.items())[:1])}, tmp_path / "part.pth")
    with pytest.raises(ValueError, match="must hold both towers"):
        make_task(load_recipe("sync-avsync", full | {"init": str(tmp_path / "part.pth")}), tmp_path)


@pytest.mark.parametrize(("recipe", "settings"), [("tiny-sync", SMALL), ("sync-avsync", SHIFTED)])
def test_the_loss_mixes_no_devices(recipe, settings, tmp_path):
    learn_on_fake_gpu(make_task(load_recipe(recipe, settings), tmp_path))


def test_a_loss_that_mixes_devices_is_found(tmp_path, monkeypatch):
    task = make_task(load_recipe("tiny-sync", SMALL), tmp_path)
    forward = task.module.forward
    monkeypatch.setattr(
        task.module, "forward", lambda batch, draws: {"loss": forward(batch, draws)["loss"] * torch.ones(2)}
    )
    with pytest.raises(Exception, match="device"):
        learn_on_fake_gpu(task)
