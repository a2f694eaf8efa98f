"""Checking a dataset before training, and making one from raw videos."""

import json

import pytest

from asva_data import MediaError, Wanted, check_dataset, prepare_dataset, probe, read_wanted, wanted_from_folder


@pytest.fixture
def raw(media, tmp_path):
    folder = tmp_path / "raw"
    (folder / "dog barking").mkdir(parents=True)
    media.write_media(folder / "dog barking" / "abc.mp4", num_frames=96, seconds=4.0, clicks=(0.25, 1.25, 2.5))
    media.write_media(folder / "xyz_000030.mp4", num_frames=48)
    media.write_media(folder / "mute.mp4", sound=False)
    (folder / "bad.mp4").write_bytes(b"no video")
    return folder


WANTED = [
    Wanted("abc", 1.0, 3.0, "dog barking", "train"),
    Wanted("xyz", 30.0, 32.0, "cat/../../x", "test"),
    Wanted("gone", 5.0, 7.0, "dog", "train"),
    Wanted("mute", None, None, "dog", "train"),
    Wanted("bad", None, None, "dog", "train"),
    Wanted("../abc", None, None, "dog", "train"),
    Wanted("abc", 3.0, 9.0, "dog", "train"),
    Wanted("abc", 0.0, 2.0, "dog barking", "val"),
]


def test_parts_are_cut_copied_or_refused_with_a_reason(raw, media, tmp_path):
    out = tmp_path / "out"
    done = prepare_dataset(WANTED, raw, out)
    assert done.videos == {
        "train": ["dog_barking/abc_000001_000003.mp4"],
        "test": ["cat_______x/xyz_000030_000032.mp4"],
    }
    reasons = [reason for _, reason in done.refused]
    assert "none of gone_5000_7000.*, gone_000005_000007.*, gone_000005.*, gone_5.*, gone.* below" in reasons[0]
    for reason, words in zip(reasons[1:], ("sound", "media", "`id`", "`end`", "`split`"), strict=True):
        assert words in reason
    assert (out / "train.txt").read_text(encoding="utf-8") == "dog_barking/abc_000001_000003.mp4\n"
    assert len((out / "refused.jsonl").read_text(encoding="utf-8").splitlines()) == 6
    cut = out / "videos/dog_barking/abc_000001_000003.mp4"
    assert probe(cut).duration == pytest.approx(2.0, abs=0.01)
    copied = out / "videos/cat_______x/xyz_000030_000032.mp4"
    assert copied.read_bytes() == (raw / "xyz_000030.mp4").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out"}


def test_a_cut_begins_at_its_frame_and_its_sound(raw, media, tmp_path):
    from asva_data import read_video

    prepare_dataset(WANTED[:1], raw, tmp_path / "out")
    clip = read_video(tmp_path / "out/videos/dog_barking/abc_000001_000003.mp4")
    assert media.number_of(clip.frames[0]) == 24
    assert media.click_times(clip.waveform, clip.sample_rate, 2) == pytest.approx([0.25, 1.5], abs=0.002)


def test_a_stopped_run_goes_on(raw, tmp_path):
    assert prepare_dataset(WANTED[:2], raw, tmp_path / "out").made == 2
    done = prepare_dataset(WANTED[:2], raw, tmp_path / "out")
    assert done.made == 0 and len(done.videos["train"]) == 1


def test_a_folder_without_a_table(raw, tmp_path):
    wanted = wanted_from_folder(raw)
    done = prepare_dataset(wanted, raw, tmp_path / "out", test_share=0.0)
    assert sorted(done.videos["train"]) == ["dog_barking/abc.mp4", "xyz_000030.mp4"]
    assert json.loads((tmp_path / "out/class_mapping.json").read_text(encoding="utf-8")) == {
        "dog_barking": "dog barking"
    }


def test_the_draw_of_the_test_keeps_parts_of_a_video_together(raw, tmp_path):
    wanted = [Wanted("abc", float(start), start + 1.0, "dog") for start in range(3)]
    done = prepare_dataset(wanted, raw, tmp_path / "out", test_share=0.5)
    assert sorted(map(len, done.videos.values())) == [0, 3]


@pytest.mark.parametrize(("share", "counts"), [(0.25, [3, 1, 1, 0]), (0.0, [0, 0, 0, 0]), (1.0, [12, 4, 2, 1])])
def test_the_draw_is_exact_in_each_class(raw, tmp_path, monkeypatch, share, counts):
    monkeypatch.setattr("asva_data.prepare._make", lambda item, found, target: True)
    names = dict(zip("abcd", (12, 4, 2, 1), strict=True))
    wanted = [Wanted(f"{label}{number}", label=label) for label, count in names.items() for number in range(count)]
    done, other = (
        prepare_dataset(wanted, raw, tmp_path / f"out{seed}", test_share=share, seed=seed) for seed in (0, 1)
    )
    for label, count in zip(names, counts, strict=True):
        assert sum(name.startswith(label) for name in done.videos["test"]) == count
    assert len(done.videos["train"]) == sum(names.values()) - sum(counts)
    assert (done.videos["test"] == other.videos["test"]) == (share in (0.0, 1.0))


def test_tables(tmp_path):
    (tmp_path / "a.csv").write_text("id,start,end,label,path\nabc,1,2.5,dog,\n,,,,x/y.mp4\n", encoding="utf-8")
    assert read_wanted(tmp_path / "a.csv") == [Wanted("abc", 1.0, 2.5, "dog"), Wanted("y", path="x/y.mp4")]
    (tmp_path / "v.csv").write_text('abc,30,"a, b",train\n', encoding="utf-8")
    assert read_wanted(tmp_path / "v.csv") == [Wanted("abc", 30.0, 40.0, "a, b", "train")]
    (tmp_path / "b.jsonl").write_text('{"id": "abc", "start": 0, "end": 1}\n', encoding="utf-8")
    assert read_wanted(tmp_path / "b.jsonl") == [Wanted("abc", 0.0, 1.0)]
    for name, text in (("c.csv", "id,start,end\na,x,2\n"), ("d.csv", "id,start,end\na,3,2\n"), ("e.csv", "a,b\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(MediaError, match="`table`"):
            read_wanted(tmp_path / name)
    (tmp_path / "f.jsonl").write_text("[1]\nno", encoding="utf-8")
    for name in ("f.jsonl", "none.csv"):
        with pytest.raises(MediaError, match="`table`"):
            read_wanted(tmp_path / name)


def test_what_was_prepared_passes_the_check(raw, tmp_path):
    prepare_dataset(WANTED[:2], raw, tmp_path / "out")
    report = check_dataset(tmp_path / "out", deep=True)
    assert report.ok and report.usable == {"train": 1, "test": 1}
    assert {problem.kind for problem in report.problems} == {"count", "encoding"}


def test_everything_that_is_wrong_is_said(raw, media, tmp_path):
    root = tmp_path / "data"
    videos = root / "videos"
    videos.mkdir(parents=True)
    media.write_media(videos / "good.mp4")
    media.write_media(videos / "short.mp4", num_frames=24, seconds=1.0, clicks=(0.25,))
    media.write_media(videos / "extra.mp4")
    cut = media.write_media(videos / "cut.mp4", options={"movflags": "faststart"})
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 6 // 10])
    (videos / "mute.mp4").write_bytes((raw / "mute.mp4").read_bytes())
    (videos / "link.mp4").symlink_to(videos / "nothing.mp4")
    names = ["good", "good", "short", "mute", "link", "none", "cut"]
    (root / "train.txt").write_text("".join(f"{name}.mp4\n" for name in names) + "good.mp4,0,9\n", encoding="utf-8")
    (root / "test.txt").write_text("good.mp4\n", encoding="utf-8")
    (root / "class_clip_text_encodings_stable-diffusion-v1-5.pt").write_bytes(b"x")
    report = check_dataset(root, deep=True, motion_scores=tmp_path / "scores")
    assert not report.ok
    fatal = {(problem.kind, problem.path.name) for problem in report.problems if problem.fatal}
    assert fatal >= {
        ("short", "short.mp4"),
        ("mute", "mute.mp4"),
        ("missing", "link.mp4"),
        ("missing", "none.mp4"),
        ("unreadable", "cut.mp4"),
        ("part", "good.mp4"),
        ("both-splits", "good.mp4"),
        ("motion-score", "good.npy"),
        ("encoding", "class_clip_text_encodings_stable-diffusion-v1-5.pt"),
    }
    remarks = {(problem.kind, problem.path.name) for problem in report.problems if not problem.fatal}
    assert remarks >= {("twice", "good.mp4"), ("unlisted", "extra.mp4")}


def test_lists_that_cannot_be_read_are_a_problem(tmp_path):
    (tmp_path / "train.txt").write_text("../a.mp4\n", encoding="utf-8")
    report = check_dataset(tmp_path)
    assert [problem.kind for problem in report.problems if problem.fatal] == ["list"]
    with pytest.raises(MediaError, match="`root`"):
        check_dataset(tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"layout": "folder"}, "`layout`"), ({"test_share": 2.0}, "`test_share`"), ({"out": "no/where"}, "`out`")],
)
def test_bad_arguments_are_named(arguments, named, raw, tmp_path):
    out = tmp_path / arguments.pop("out", "out")
    with pytest.raises(MediaError, match=named):
        prepare_dataset([], raw, out, **arguments)
