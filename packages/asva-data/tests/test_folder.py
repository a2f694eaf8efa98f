"""The folder dataset: order, pieces, captions, scores, broken files, workers."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from asva_data import MediaError, VideoFolder


@pytest.fixture
def root(media, tmp_path):
    """Two classes, three good files of 2, 2 and 3 seconds, and the broken ones beside them."""
    root = tmp_path / "videos"
    for name, seconds in (("dog_barking/b", 2), ("dog_barking/a", 3), ("hammering/c", 2)):
        path = root / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        media.write_media(path, num_frames=24 * seconds, seconds=float(seconds), channels=2)
    return root


def small(root, **options):
    return VideoFolder(root, **({"num_frames": 48, "size": 32} | options))


def test_sample(root):
    data = small(root)
    assert len(data) == 3
    sample = data[0]
    assert sample["frames"].shape == (48, 3, 32, 32) and sample["frames"].dtype == torch.float32
    assert -1 <= sample["frames"].min() < sample["frames"].max() <= 1
    assert sample["waveform"].shape == (2, 32000) and sample["sample_rate"] == 16000
    assert (sample["caption"], sample["class_name"]) == ("dog barking", "dog_barking")
    assert sample["path"].endswith("a.mp4")
    torch.testing.assert_close(sample["times"], torch.arange(48, dtype=torch.float64) / 24)
    assert "motion_score" not in sample


@pytest.mark.parametrize("below", [".", "videos", "videos/dog_barking"])
def test_a_split_is_what_the_lists_of_the_dataset_say(root, below):
    home = root.parent
    assert len(small(root, split="train")) == 3 and small(root, split="train").taken.listed is None
    (home / "train.txt").write_text(
        "dog_barking/a.mp4,0.5,2.6\nhammering/c.mp4\ndog_barking/gone.mp4\n", encoding="utf-8"
    )
    (home / "test.txt").write_text("dog_barking/b.mp4\n", encoding="utf-8")
    data = small(home / below, split="train")
    wanted = ["dog_barking/a.mp4"] + ["hammering/c.mp4"] * (below != "videos/dog_barking")
    assert [entry.path for entry in data.entries] == [root / name for name in wanted]
    assert [path.name for path, _ in data.broken] == ["gone.mp4"]
    assert data.taken.listed == home / "train.txt" and data.taken.left_out == 1
    assert all(0.5 <= small(home / below, split="train", seed=seed)[0]["start"] <= 0.6 for seed in range(4))
    assert [entry.path.name for entry in small(home / below, split="test").entries] == ["b.mp4"]
    assert len(small(root, split="all")) == 3
    with pytest.raises(MediaError, match=r"`root` must hold videos that .*test.txt names for test, got none in"):
        small(root / "hammering", split="test")


def test_a_layout_with_one_class_names_it(root):
    home = root.parent
    (root / "dog_barking/a.mp4").rename(root / "2015_denoised_thumb.mp4")
    (home / "train.txt").write_text("2015_denoised_thumb.mp4\n", encoding="utf-8")
    sample = small(home, split="train")[0]
    assert (sample["caption"], sample["class_name"]) == ("hitting with a stick",) * 2


def test_frames_may_stay_as_they_were_decoded(root):
    pixels, frames = small(root)[0]["frames"], small(root, as_uint8=True)[0]["frames"]
    assert frames.shape == (48, 32, 32, 3) and frames.dtype == torch.uint8
    torch.testing.assert_close(frames.permute(0, 3, 1, 2) / 127.5 - 1, pixels)


def test_order_is_by_name(root):
    assert [entry.path.name for entry in small(root).entries] == ["a.mp4", "b.mp4", "c.mp4"]


def test_pieces_follow_seed_epoch_and_index(root):
    data, again = small(root), small(root)
    assert data[0]["start"] == again[0]["start"] == data[-3]["start"]
    torch.testing.assert_close(data[0]["frames"], again[0]["frames"], rtol=0, atol=0)
    starts = {data[0]["start"], small(root, seed=1)[0]["start"]}
    data.set_epoch(1)
    starts.add(data[0]["start"])
    assert len(starts) == 3 and all(0 <= start <= 1 for start in starts)
    assert small(root, random_start=False)[0]["start"] == 0


def test_drawing_leaves_the_global_generators_alone(root):
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    small(root)[0]
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_picture_and_sound_of_a_piece_agree(media, root):
    sample = small(root, size=(64, 96), num_frames=24)[0]
    frames = ((sample["frames"].permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    kept = small(root, size=(64, 96), num_frames=24, as_uint8=True)[0]["frames"]
    assert kept.dtype == torch.uint8 and np.array_equal(kept.numpy(), frames)
    numbers = [media.number_of(frame) for frame in frames]
    expected = np.floor((sample["start"] + np.arange(24) / 24 + 1e-3) * 24).astype(int)
    np.testing.assert_array_equal(numbers, expected)
    clicks = [time for time in (0.25, 1.25) if 0.05 < time - sample["start"] < 0.95]
    found = media.click_times(sample["waveform"].numpy(), 16000, len(clicks))
    assert found == pytest.approx([time - sample["start"] for time in clicks], abs=1e-3)


def test_text_captions(root):
    for name in ("dog_barking/a", "dog_barking/b"):
        (root / f"{name}.txt").write_text(f"caption of {name[-1]}\n", encoding="utf-8")
    data = small(root, caption="txt")
    assert [entry.caption for entry in data.entries] == ["caption of a", "caption of b"]
    assert "c.txt" in data.broken[0][1]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_table_captions(root, tmp_path, ending):
    rows = [{"path": "dog_barking/a.mp4", "caption": "one, two"}, {"path": "hammering/c.mp4", "caption": "é"}]
    table = tmp_path / f"captions.{ending}"
    lines = (
        [json.dumps(row) for row in rows]
        if ending == "jsonl"
        else ["path,caption", 'dog_barking/a.mp4,"one, two"', "hammering/c.mp4,é"]
    )
    table.write_text("\n".join(lines), encoding="utf-8")
    data = small(root, caption=table)
    assert [entry.caption for entry in data.entries] == ["one, two", "é"]
    assert len(data.broken) == 1


def test_motion_scores_are_read_at_the_pieces_frames(root, tmp_path):
    for name, count in (("dog_barking/a", 72), ("dog_barking/b", 48), ("hammering/c", 48)):
        path = tmp_path / "scores" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.arange(1, count, dtype=np.float32))  # score j leads to frame j + 1
    sample = small(root, motion_scores=tmp_path / "scores")[0]
    expected = np.maximum((sample["start"] + np.arange(48) / 24) * 24, 1)
    np.testing.assert_allclose(sample["motion_score"], expected, rtol=1e-4)


def test_motion_scores_beside(root):
    np.save(root / "dog_barking/a.npy", np.ones(71))
    np.save(root / "dog_barking/b.npy", np.full(47, np.nan))
    data = small(root, motion_scores="beside")
    assert [entry.path.name for entry in data.entries] == ["a.mp4"]
    assert len(data.broken) == 2


def test_select_frames(root):
    seen = []

    def select(score, generator):
        seen.append((score, generator.integers(100)))
        return [0, 7, 40]

    sample = small(root, select_frames=select)[1]
    assert sample["frames"].shape == (3, 3, 32, 32)
    assert sample["frame_indices"].tolist() == [0, 7, 40]
    everything = small(root)[1]
    torch.testing.assert_close(sample["frames"], everything["frames"][[0, 7, 40]])
    torch.testing.assert_close(sample["times"], everything["times"][[0, 7, 40]])
    small(root, select_frames=select)[1]
    assert seen[0] == seen[1] and seen[0][0] is None
    with pytest.raises(ValueError, match="`select_frames`"):
        small(root, select_frames=lambda score, generator: [48])[0]


def test_load_audio_and_transform(root):
    calls = []

    def load_audio(path, *, start, duration):
        calls.append((path.name, start, duration))
        return SimpleNamespace(waveform=torch.ones(1, 15000), sample_rate=8000)

    sample = small(root, load_audio=load_audio, transform=lambda sample: sample | {"extra": 1})[1]
    assert calls == [("b.mp4", 0.0, 2.0)]
    assert sample["waveform"].shape == (1, 16000) and sample["sample_rate"] == 8000 and sample["extra"] == 1
    assert sample["waveform"][0, 15000:].abs().max() == 0


def test_broken_files_are_listed_and_skipped(media, root, caplog):
    (root / "hammering/empty.mp4").touch()
    (root / "hammering/page.mp4").write_text("<html>", encoding="utf-8")
    (root / "hammering/notes.md").write_text("no video", encoding="utf-8")
    media.write_media(root / "hammering/mute.mp4", sound=False)
    media.write_media(root / "hammering/short.mp4", num_frames=12)
    with caplog.at_level(logging.WARNING):
        data = small(root)
    assert len(data) == 3
    assert [path.name for path, _ in data.broken] == ["empty.mp4", "mute.mp4", "page.mp4", "short.mp4"]
    assert len(caplog.records) == 4
    assert len(small(root, sound=False)) == 4
    assert "waveform" not in small(root, sound=False)[0]


def test_a_file_that_breaks_later_is_replaced(root, caplog):
    data = small(root)
    (root / "dog_barking/a.mp4").write_bytes(b"gone")
    with caplog.at_level(logging.WARNING):
        assert data[0]["path"].endswith("b.mp4")
    assert "next video" in caplog.text


def test_nothing_usable(tmp_path):
    with pytest.raises(MediaError, match=r"usable videos, got in .* none\."):
        small(tmp_path)
    with pytest.raises(MediaError, match="existing folder"):
        small(tmp_path / "nowhere")


@pytest.mark.parametrize("options", [{"num_frames": 0}, {"fps": 0}, {"size": 0}, {"caption": "nowhere.csv"}])
def test_arguments_are_checked(root, options):
    with pytest.raises(MediaError):
        small(root, **options)


def test_index_out_of_range(root):
    with pytest.raises(IndexError):
        small(root)[3]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_give_the_same_samples(root, method):
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    data = small(root)
    here = [data[index] for index in range(3)]  # decode in the parent first: this is what used to hang after a fork
    loader = DataLoader(
        data, batch_size=3, num_workers=1, multiprocessing_context=method, timeout=400, persistent_workers=True
    )
    (batch,) = loader
    torch.testing.assert_close(batch["frames"], torch.stack([sample["frames"] for sample in here]), rtol=0, atol=0)
    torch.testing.assert_close(batch["waveform"], torch.stack([sample["waveform"] for sample in here]), rtol=0, atol=0)
    data.set_epoch(5)
    (later,) = loader
    assert float(later["start"][0]) == data[0]["start"] != here[0]["start"]
