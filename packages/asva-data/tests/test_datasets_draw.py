"""The draw of a test split: exact, per class, parts of one recording together; lists that are there stay."""

import pytest

from asva_data import MediaError, draw_test, split_dataset


def test_every_class_gives_its_share():
    counts = {"dog": 20, "cat": 12, "bat": 2, "fox": 1}
    recordings = {name: {f"{name}{i}" for i in range(count)} for name, count in counts.items()}
    test = draw_test(recordings, 0.1)
    found = {name: len(test & names) for name, names in recordings.items()}
    assert found == {"dog": 2, "cat": 1, "bat": 1, "fox": 0}, "of a single one nothing could be learnt"
    assert draw_test(recordings, 0.1) == test != draw_test(recordings, 0.1, seed=1)
    assert not draw_test(recordings, 0)


def test_parts_of_a_recording_go_together(tmp_path):
    for part in range(12):
        (tmp_path / "videos/dog").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"videos/dog/v{part % 4}_{part:06}_{part + 2:06}.mp4").touch()
    assert split_dataset(tmp_path, test_share=0.25).classes == {"train": {"dog": 9}, "test": {"dog": 3}}
    names = (tmp_path / "test.txt").read_text(encoding="utf-8").split()
    assert len({name.split("_")[0] for name in names}) == 1


@pytest.fixture
def folder(tmp_path):
    for name in ("dog/a", "dog/b", "dog/c", "cat/d", "cat/e"):
        (tmp_path / f"videos/{name}.mp4").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"videos/{name}.mp4").touch()
    return tmp_path


def test_a_split_is_drawn_once_and_held(folder):
    report = split_dataset(folder, test_share=0.3)
    assert report.drawn and report.classes == {"train": {"dog": 2, "cat": 1}, "test": {"dog": 1, "cat": 1}}
    lists = {name: (folder / name).read_text(encoding="utf-8") for name in ("train.txt", "test.txt")}
    (folder / "videos/dog/new.mp4").touch()
    again = split_dataset(folder, test_share=0.9, seed=3)
    assert not again.drawn and again.unlisted == 1 and again.classes == report.classes
    assert lists == {name: (folder / name).read_text(encoding="utf-8") for name in lists}


def test_what_cannot_be_split_is_named(folder, tmp_path):
    with pytest.raises(MediaError, match="`test_share` must be"):
        split_dataset(folder, test_share=1.0)
    with pytest.raises(MediaError, match=r"must hold train\.txt"):
        split_dataset(folder, layout="landscapes")
    with pytest.raises(MediaError, match="existing folder"):
        split_dataset(tmp_path / "nowhere")
