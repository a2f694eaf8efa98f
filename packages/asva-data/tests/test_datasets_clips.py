"""Layouts, lists and clips of the field's datasets on self-made media."""

import json
import random

import numpy as np
import pytest
import torch

from asva_data import (
    MediaError,
    VideoClips,
    clip_frames,
    clip_starts,
    detect_layout,
    get_layout,
    load_text_encodings,
    random_start,
    read_split,
)
from asva_data.datasets.layouts import LAYOUTS


@pytest.fixture
def avsync15(media, tmp_path):
    """Two classes, three videos in the form of AVSync15."""
    root = tmp_path / "AVSync15"
    for name in ("dog_barking/a.mp4", "dog_barking/b, c.mp4", "playing_violin__fiddle/d.mp4"):
        (root / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        media.write_media(root / "videos" / name, num_frames=72, seconds=3.0, fps=24)
    (root / "train.txt").write_text("dog_barking/a.mp4\ndog_barking/b, c.mp4\n\n", encoding="utf-8")
    (root / "test.txt").write_text("playing_violin__fiddle/d.mp4\n", encoding="utf-8")
    (root / "class_mapping.json").write_text(
        json.dumps({"playing_violin__fiddle": "playing violin fiddle"}), encoding="utf-8"
    )
    return root


def test_lists_and_captions(avsync15):
    layout = detect_layout(avsync15)
    assert layout.name == "avsync15" and layout.counts == {"train": 1350, "test": 150}
    entries = read_split(avsync15, layout, "train")
    assert [(entry.path.name, entry.class_name, entry.caption) for entry in entries] == [
        ("a.mp4", "dog_barking", "dog barking"),
        ("b, c.mp4", "dog_barking", "dog barking"),
    ]
    assert read_split(avsync15, layout, "test")[0].caption == "playing violin fiddle"


@pytest.mark.parametrize(
    ("files", "folder", "name"),
    [
        (("train.txt",), "AVSync48", "avsync48"),
        (("train.txt",), "avsync_ac_2024", "avsync-ac"),
        (("train.txt",), "VGGSS", "vggss"),
        (("train.txt", "videos/train/x.mp4"), "L", "landscapes"),
        (("test.txt", "videos/1_denoised_thumb.mp4"), "T", "greatest-hits"),
        (("vggsound.csv",), "V", "vggsound"),
        (("a.mp4",), "any", "folder"),
    ],
)
def test_the_form_is_told_from_the_files(files, folder, name, tmp_path):
    for file in files:
        (tmp_path / folder / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / file).touch()
    assert detect_layout(tmp_path / folder).name == name


def test_lists_of_parts_landscapes_hits_and_vggsound(tmp_path):
    (tmp_path / "train.txt").write_text("dog/a.mp4,1.5,4\n", encoding="utf-8")
    entry = read_split(tmp_path, LAYOUTS["avsync-ac"])[0]
    assert (entry.path, entry.start, entry.end) == (tmp_path / "videos/dog/a.mp4", 1.5, 4.0)
    assert read_split(tmp_path, LAYOUTS["landscapes"])[0].path == tmp_path / "videos/train/dog/a.mp4"
    (tmp_path / "train.txt").write_text("2015-1_denoised_thumb.mp4\n", encoding="utf-8")
    hit = read_split(tmp_path, LAYOUTS["greatest-hits"])[0]
    assert (hit.caption, hit.class_name) == ("hitting with a stick", "hitting with a stick")
    assert LAYOUTS["greatest-hits"].size == (128, 256)
    (tmp_path / "vggsound.csv").write_text('abc,30,"people eating, noisily",train\nd_e,7,dog,test\n', encoding="utf-8")
    layout = get_layout("vggsound")
    assert [entry.path.name for entry in read_split(tmp_path, layout, "train")] == ["abc_000030.mp4"]
    assert read_split(tmp_path, layout, "test")[0].caption == "dog"


@pytest.mark.parametrize("line", ["../secret.mp4", "/etc/passwd", "a/../../b.mp4", "a\\b.mp4", "a.mp4,3,2"])
def test_a_list_may_not_lead_elsewhere(line, tmp_path):
    (tmp_path / "train.txt").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(MediaError, match=r"`(path|start)` must"):
        read_split(tmp_path, LAYOUTS["avsync15"])


def test_missing_lists_and_wrong_names(tmp_path):
    with pytest.raises(MediaError, match="`split` must have a list"):
        read_split(tmp_path, LAYOUTS["avsync15"])
    with pytest.raises(MediaError, match="`layout` must be one of"):
        get_layout("kinetics")
    (tmp_path / "vggsound.csv").write_text("a,b\n", encoding="utf-8")
    with pytest.raises(MediaError, match="id, start, label, split"):
        read_split(tmp_path, LAYOUTS["vggsound"])


def numbers(media, sample):
    frames = ((sample["frames"].permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    return [media.number_of(frame) for frame in frames]


@pytest.mark.parametrize("rule", ["official", "nearest"])
def test_clips_of_the_evaluation(avsync15, media, rule):
    data = VideoClips(avsync15, split="test", sampling="uniform", size=(64, 96), frame_rule=rule)
    assert len(data) == 3
    times = np.arange(72) / 24
    for index, start in enumerate(clip_starts(3.0)):
        sample = data[index]
        assert sample["start"] == pytest.approx(start)
        assert numbers(media, sample) == clip_frames(times, start, rule=rule).tolist()
        assert sample["waveform"].shape == (1, 32000) and sample["sample_rate"] == 16000
    assert abs(data[1]["waveform"][0].abs().argmax() - 12000) <= 1  # the click at 1.25 s


def test_clips_of_training_depend_on_seed_epoch_and_index_alone(avsync15):
    data = VideoClips(avsync15, size=32, flip=0.5, seed=7)
    again = VideoClips(avsync15, size=32, flip=0.5, seed=7)
    first = [data[0], data[1]]
    assert torch.equal(again[1]["frames"], first[1]["frames"]) and again[0]["start"] == first[0]["start"]
    data.set_epoch(1)
    assert data[0]["start"] != first[0]["start"]
    assert 0 <= first[0]["start"] <= 1.0


def test_flips(avsync15):
    plain, flipped = (VideoClips(avsync15, size=32, flip=flip)[0] for flip in (0.0, 1.0))
    assert flipped["flipped"] and not plain["flipped"]
    assert torch.equal(flipped["frames"], plain["frames"].flip(-1))


def test_shifted_clips_of_one_video(avsync15, media):
    data = VideoClips(
        avsync15, split="test", sampling="sync", clips_per_video=5, sync_rule="center-compact", size=(64, 96)
    )
    sample = data[0]
    assert sample["start"] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert sample["frames"].shape == (5, 12, 3, 64, 96) and len(sample["waveform"]) == 5


def test_a_short_video_starts_at_zero():
    assert random_start(1.5, random.Random(0)) == 0.0


def test_parts_stay_within_their_bounds(avsync15):
    (avsync15 / "train.txt").write_text("dog_barking/a.mp4,0.5,2.75\n", encoding="utf-8")
    data = VideoClips(avsync15, size=32, seed=1, num_frames=12, fps=6.0)
    starts = []
    for epoch in range(4):
        data.set_epoch(epoch)
        starts.append(data[0]["start"])
    assert min(starts) >= 0.5 and max(starts) <= 0.75


def test_encodings_and_motion_scores(avsync15, tmp_path):
    torch.save({"dog barking": torch.ones(77, 8)}, tmp_path / "text.pt")
    encodings = load_text_encodings(tmp_path / "text.pt")
    scores = tmp_path / "scores/videos/dog_barking"
    scores.mkdir(parents=True)
    for name in ("a", "b, c"):
        np.save(scores / f"{name}.npy", np.arange(71, dtype=np.float32))
    data = VideoClips(avsync15, size=32, encodings=encodings, motion_scores=tmp_path / "scores")
    sample = data[0]
    assert sample["text_encoding"].shape == (77, 8)
    expected = (sample["start"] + np.arange(12) / 6) * 24 - 1
    assert sample["motion_score"].numpy() == pytest.approx(expected.clip(0, 70), abs=1e-3)
    with pytest.raises(MediaError, match="`encodings` must hold every caption"):
        VideoClips(avsync15, split="test", size=32, encodings=encodings, sound=False)[0]


def test_encodings_that_would_run_code_are_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return print, ("run",)

    (tmp_path / "a.pt").write_bytes(pickle.dumps(Evil()))
    for name in ("a.pt", "none.pt"):
        with pytest.raises(MediaError, match="`encodings`"):
            load_text_encodings(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"sampling": "even"}, "`sampling`"),
        ({"flip": 2.0}, "`flip`"),
        ({"fps": 0}, "`fps`"),
        ({"layout": "x"}, "`layout`"),
        ({"split": "val"}, "`split`"),
    ],
)
def test_bad_arguments_are_named(arguments, named, avsync15):
    with pytest.raises(MediaError, match=named):
        VideoClips(avsync15, **arguments)
