"""Matching: by path, by name, by number, by manifest; nothing is dropped without a word."""

import json

import pytest

from asva_eval import MatchError, match_folders, read_manifest


@pytest.fixture
def folders(tmp_path):
    """``folders(generated=[...], true=[...])``: two folders with empty files of these names."""

    def make(generated, true):
        for name, files in (("generated", generated), ("true", true)):
            for file in files:
                path = tmp_path / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return tmp_path / "generated", tmp_path / "true"

    return make


def names(matching):
    return [(pair.name, pair.reference.name, pair.clip, pair.class_name) for pair in matching.pairs]


def test_by_path_with_another_ending(folders):
    matching = match_folders(*folders(["dog/a.mp4", "cat/a.mp4"], ["dog/a.mkv", "cat/a.mp4"]))
    assert names(matching) == [("cat/a", "a.mp4", None, "cat"), ("dog/a", "a.mkv", None, "dog")]


def test_numbered_clips_of_a_video(folders):
    matching = match_folders(
        *folders(["dog/a_clip-00.mp4", "dog/a_clip-02.mp4", "b_clip-1.mp4"], ["dog/a.mp4", "b.mp4"])
    )
    assert [(pair.name, pair.clip) for pair in matching.pairs] == [
        ("b_clip-1", 1),
        ("dog/a_clip-00", 0),
        ("dog/a_clip-02", 2),
    ]


def test_one_side_may_lack_the_folders(folders):
    assert names(match_folders(*folders(["a.mp4"], ["dog/a.mp4"]))) == [("a", "a.mp4", None, "dog")]


def test_what_has_no_partner_is_listed(folders):
    matching = match_folders(*folders(["a.mp4", "x.mp4"], ["a.mp4", "b.mp4"]))
    assert [path.name for path in matching.generated_alone] == ["x.mp4"]
    assert [path.name for path in matching.reference_alone] == ["b.mp4"]


@pytest.mark.parametrize(
    ("generated", "true", "named"),
    [
        (["a.mp4"], ["dog/a.mp4", "cat/a.mp4"], "one file for .*a.mp4"),
        (["a.mp4"], ["a.mp4", "a.mkv"], "one file"),
        (["a.mp4", "a.mkv"], ["a.mp4"], "name each clip once"),
        (["a.mp4", "dog/a.mp4"], ["a.mp4"], "one file for each clip"),
        (["x.mp4"], ["a.mp4"], "a_clip-00.mp4"),
        ([], ["a.mp4"], "existing folder"),
        (["notes.txt"], ["a.mp4"], "must hold videos"),
    ],
)
def test_what_cannot_be_matched_is_named(folders, generated, true, named):
    with pytest.raises(MatchError, match=named):
        match_folders(*folders(generated, true))


def test_a_manifest_matches_what_names_do_not(folders, tmp_path):
    generated, true = folders(["one.mp4", "two.mp4", "three.mp4"], ["x.mp4", "y.mp4"])
    table = tmp_path / "pairs.csv"
    table.write_text(
        "generated,reference,class,caption,start\none.mp4,x.mp4,dog,a dog barks,1.5\ntwo.mp4,y.mp4,,,\n",
        encoding="utf-8",
    )
    matching = read_manifest(table, generated, true)
    assert [(p.name, p.reference.name, p.class_name, p.caption, p.start) for p in matching.pairs] == [
        ("one", "x.mp4", "dog", "a dog barks", 1.5),
        ("two", "y.mp4", "", "", None),
    ]
    assert [path.name for path in matching.generated_alone] == ["three.mp4"]
    lines = tmp_path / "pairs.jsonl"
    lines.write_text(json.dumps({"generated": "one.mp4", "reference": "x.mp4"}) + "\n", encoding="utf-8")
    assert [path.name for path in read_manifest(lines, generated, true).reference_alone] == ["y.mp4"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("generated,true\none.mp4,x.mp4\n", "columns"),
        ("generated,reference\nnone.mp4,x.mp4\n", "existing file"),
        ("generated,reference,start\none.mp4,x.mp4,soon\n", "start"),
        ("generated,reference\n", "at least one row"),
    ],
)
def test_wrong_manifests_are_named(folders, tmp_path, text, named):
    generated, true = folders(["one.mp4"], ["x.mp4"])
    (tmp_path / "pairs.csv").write_text(text, encoding="utf-8")
    with pytest.raises(MatchError, match=named):
        read_manifest(tmp_path / "pairs.csv", generated, true)


def test_a_manifest_must_be_a_table(folders, tmp_path):
    generated, true = folders(["one.mp4"], ["x.mp4"])
    with pytest.raises(MatchError, match=r"neither \.csv nor \.jsonl"):
        read_manifest(tmp_path / "pairs.txt", generated, true)
    (tmp_path / "pairs.jsonl").write_text("[1]\n", encoding="utf-8")
    with pytest.raises(MatchError, match=r"one object each, got .*pairs\.jsonl"):
        read_manifest(tmp_path / "pairs.jsonl", generated, true)
