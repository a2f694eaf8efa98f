"""`asva evaluate`: a report of two folders, and one clear line for what cannot be right."""

import json
import shutil

import pytest
import yaml

from asva_eval import load_protocol


@pytest.fixture(scope="module")
def clips(tmp_path_factory, write_ball):
    """``true`` and ``made``, two clips each, and a protocol of two scores."""
    home = tmp_path_factory.mktemp("clips")
    for place in range(2):
        for side in ("true", "made"):
            write_ball(home / side / f"{place}.mp4", 0.3 + 0.1 * place, 0.6)
    scores = ["motion", "event_f1", "fvd"]
    (home / "mine.yaml").write_text(yaml.safe_dump({"description": "mine", "scores": scores}), encoding="utf-8")
    return home


@pytest.fixture
def evaluate(asva, clips):
    """Run with good arguments but for what is given."""

    def run(*more, generated=None, reference=None, protocol=None):
        words = ["--generated", generated or clips / "made", "--reference", reference or clips / "true"]
        return asva("evaluate", *words, "--protocol", protocol or clips / "mine.yaml", "--output", "out", *more)

    return run


def test_a_report(evaluate, clips, tmp_path):
    ran = evaluate("--seed", 3)
    assert ran.code == 0, ran.err
    assert "events seen when heard, F1" in ran.out and "reference" in ran.out
    assert "Not measured without weights: FVD" in ran.err
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert report["systems"] == ["made"] and report["seed"] == 3
    assert report["protocol"]["name"] == str(clips / "mine.yaml") and report["command"][0] == "asva"
    assert (tmp_path / "out/report.md").read_text(encoding="utf-8").startswith("# Evaluation")
    assert (tmp_path / "out/report.html").read_text(encoding="utf-8").count("<video") == 4 and "report.html" in ran.err


def test_json_is_the_report_on_stdout(evaluate, tmp_path):
    ran = evaluate("--json", "--no-html")
    assert ran.code == 0 and "Not measured without weights" not in ran.err
    assert json.loads(ran.out) == json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))


def test_two_systems_by_name(evaluate, clips, tmp_path):
    ran = evaluate("--generated", f"again={clips / 'made'}", "--no-html", generated=f"first={clips / 'made'}")
    assert ran.code == 0, ran.err
    assert not (tmp_path / "out/report.html").exists() and "report.html" not in ran.err
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert report["systems"] == ["first", "again"]
    assert "Systems against each other" in (tmp_path / "out/report.md").read_text(encoding="utf-8")


def test_parts_make_a_report_when_they_are_all_there(evaluate, tmp_path):
    ran = evaluate("--shard", "0/2")
    assert ran.code == 0 and "This part is measured" in ran.err and not (tmp_path / "out/report.md").exists()
    assert evaluate("--shard", "1/2").code == 0 and (tmp_path / "out/report.md").is_file()


def test_a_broken_file_is_said(evaluate, clips, tmp_path):
    shutil.copytree(clips / "made", tmp_path / "mine")
    (tmp_path / "mine/0.mp4").write_bytes(b"no video")
    ran = evaluate(generated=tmp_path / "mine")
    assert ran.code == 0 and "1 clips could not be measured" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("--shard", "2/2"), 2, "--shard"),
        (("--shard", "half"), 2, "--shard"),
        (("--weights", "i3d"), 2, "--weights"),
        (("--weights", "vgg=x.pt"), 1, "one of sync, inception"),
        (("--weights", "i3d=x.pt"), 1, "existing files"),
        (("--manifest", "pairs.csv"), 1, "manifest"),
        (("--manifest", "four=pairs.csv"), 1, "must name systems, got four"),
        (("--manifest", "pairs.csv", "--manifest", "made=pairs.csv"), 2, "--manifest"),
        (("--workers", "0"), 2, "--workers"),
        (("--examples", "-1"), 2, "--examples"),
    ],
)
def test_wrong_words_are_named(evaluate, words, code, named):
    ran = evaluate(*words)
    assert ran.code == code and named in ran.complaint and "Traceback" not in ran.err


def test_a_network_that_cannot_be_read_is_no_nan(evaluate, tmp_path):
    (tmp_path / "i3d.pt").write_bytes(b"no weights")
    ran = evaluate("--weights", "i3d=i3d.pt")
    assert ran.code == 1 and "`weights` i3d=i3d.pt" in ran.complaint and not (tmp_path / "out/report.json").exists()


def test_a_manifest_for_one_of_two_systems(evaluate, clips, tmp_path):
    (tmp_path / "pairs.csv").write_text("generated,reference,class\n0.mp4,1.mp4,dog\n", encoding="utf-8")
    ran = evaluate("--generated", f"two={clips / 'made'}", "--manifest", "two=pairs.csv", "--no-html")
    assert ran.code == 0, ran.err
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert [(clip["class"], sorted(clip["sides"])) for clip in report["clips"]] == [
        ("", ["made", "reference"]),
        ("dog", ["made", "reference", "two"]),
    ]


def test_folders_and_protocols_that_are_not_there(evaluate, tmp_path):
    assert "existing folder" in evaluate(generated="nowhere").complaint
    assert "existing folder" in evaluate(reference="nowhere").complaint
    assert "asva-fixed" in evaluate(protocol="nothing").complaint
    (tmp_path / "empty").mkdir()
    assert "must hold videos" in evaluate(generated="empty").complaint


def test_a_protocol_can_be_copied(asva, evaluate, tmp_path):
    ran = asva("evaluate", "--print-protocol", "keyvid-12")
    assert ran.code == 0
    (tmp_path / "copy.yaml").write_text(ran.out, encoding="utf-8")
    assert load_protocol(tmp_path / "copy.yaml").digest == load_protocol("keyvid-12").digest
    assert "asva-fixed" in asva("evaluate", "--print-protocol", "nothing").complaint


def test_the_same_folder_twice_needs_names(evaluate, clips):
    ran = evaluate("--generated", clips / "made")
    assert ran.code == 2 and "NAME=FOLDER" in ran.complaint
