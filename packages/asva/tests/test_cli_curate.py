"""`asva curate`, `asva data check` and `asva data prepare` from the terminal's side."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from asva.cli import app
from asva_data import SyntheticWorld, write_video

SMALL = ["--set", "filters.resolution.min=64", "--set", "filters.frozen.min=0.02", "--set", "filters.silent.min=-70"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A bell, the same bell smaller, a frozen one, and a file that is no video."""
    folder = tmp_path_factory.mktemp("raw") / "bells"
    folder.mkdir()
    clip = SyntheticWorld(seed=3, size=96, num_frames=96, two_objects=0.0)[3]
    frozen = np.repeat(clip.frames[:1], 96, axis=0)
    for name, frames in (("a bell", clip.frames), ("b", clip.frames[:, ::2, ::2]), ("c", frozen)):
        write_video(folder / f"{name}.mp4", frames, fps=24, waveform=clip.waveform, sample_rate=16000)
    (folder / "d.mp4").write_bytes(b"no video")
    return folder.parent


def run(*words):
    """The exit code of a command line."""
    return app(list(map(str, words)), standalone_mode=False)


def reasons(out):
    with (out / "reasons.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_curate_prepare_check(raw, tmp_path, capsys):
    out = tmp_path / "out"
    low = ["--set", "filters.resolution.min=32"]
    assert run("curate", raw, out, "--no-text", *SMALL, *low) == 0
    assert "1 clips in" in capsys.readouterr().out
    counts = json.loads((out / "counts.json").read_text(encoding="utf-8"))
    assert counts["files"] == {"duplicate": 1, "failed": 1, "kept": 1, "no clip left": 1}
    assert counts["windows"]["frozen"] == 3
    with (out / "clips.csv").open(newline="", encoding="utf-8") as file:
        (clip,) = csv.DictReader(file)
    assert (clip["id"], clip["start"], clip["end"], clip["label"]) == ("a bell", "0.000", "4.000", "bells")
    files = {row["path"].rsplit("/", 1)[1]: row["reason"] for row in reasons(out) if row["kind"] == "file"}
    assert files["b.mp4"].startswith("duplicate: same pictures as ")
    assert files["d.mp4"].startswith("failed: `path` must be")
    assert sorted(path.name for path in out.iterdir()) == [
        "clips.csv",
        "counts.json",
        "measurements.parquet",
        "reasons.csv",
        "recipe.yaml",
    ]
    data = tmp_path / "data"
    assert run("data", "prepare", raw, data, "--table", out / "clips.csv", "--test-share", "0") == 0
    assert run("data", "check", data, "--deep") == 0
    assert "fit to use" in capsys.readouterr().out


def test_thresholds_move_without_decoding(raw, tmp_path, capsys):
    first, again = tmp_path / "first", tmp_path / "again"
    assert run("curate", raw, first, "--no-text", *SMALL) == 0
    capsys.readouterr()
    assert run("curate", "--again", first, again, *SMALL, "--set", "filters.flow.max=0.0", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(again) and told["counts"] == json.loads(
        (again / "counts.json").read_text(encoding="utf-8")
    )
    assert json.loads((again / "counts.json").read_text(encoding="utf-8"))["windows"] == {"flow": 3, "frozen": 3}


@pytest.fixture
def curated(raw, tmp_path):
    """Results with one kept clip."""
    assert run("curate", raw, tmp_path / "curated", "--no-text", *SMALL) == 0
    return tmp_path / "curated"


def test_a_report_lies_beside_the_results(curated, capsys):
    pytest.importorskip("jinja2")
    assert run("data", "report", curated, "--examples", "1") == 0
    assert "report in" in capsys.readouterr().out
    assert (curated / "report.html").read_text(encoding="utf-8").count(
        "<video"
    ) == 3  # kept, frozen; what is no video has none
    assert run("data", "report", curated, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        name: str(curated / f"report.{end}") for name, end in (("report", "html"), ("record", "json"))
    }
    assert json.loads((curated / "report.json").read_text(encoding="utf-8"))["totals"]["clips_kept"] == 1


def test_what_reviewers_keep_becomes_data(curated, tmp_path, capsys):
    from asva_curate import Decision, DecisionLog, Results, clip_key

    assert run("curate", "--again", "--reviewed", curated, tmp_path / "none", *SMALL) == 1
    assert "Nobody has reviewed" in capsys.readouterr().err
    ((path, clip),) = [(one.path, clip) for one in Results(curated).verdicts for clip in one.clips if clip.kept]
    DecisionLog(curated, "ann").save(clip_key(path, clip.start, clip.end), Decision("keep", 0.5, 3.5))
    DecisionLog(curated, "ben").save(clip_key(path, clip.start, clip.end), Decision("keep", 0.0, 3.0))
    assert run("data", "review", curated, "--merge") == 0
    said = capsys.readouterr().out
    assert "ann and ben: agree on 100.0% of 1 clips" in said and "1 clips in" in said
    assert run("data", "review", curated, "--merge", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["clips"] == 1 and told["reviews"]["agreement"][0]["same"] == 1.0
    assert (
        run("data", "prepare", "--table", curated / "reviewed.csv", "--test-share", "0", curated, tmp_path / "set") == 0
    )
    assert [path.name for path in (tmp_path / "set" / "videos").rglob("*.mp4")] == ["a bell_000000-500_000003.mp4"]
    final = tmp_path / "final"
    assert run("curate", "--again", "--reviewed", "--shards", curated, final, *SMALL) == 0
    (row,) = csv.DictReader((final / "clips.csv").open(newline="", encoding="utf-8"))
    assert (row["start"], row["end"]) == ("0.500", "3.000")
    assert json.loads((final / "shards" / "index.json").read_text(encoding="utf-8"))["clips"] == 1


def test_a_review_is_shown_until_it_is_interrupted(curated, monkeypatch, capsys):
    pytest.importorskip("starlette")
    import asva_pages

    shown = []

    def serve(session, *, port, on_ready):
        on_ready("http://127.0.0.1:1/secret/")
        shown.append(session.log.reviewer)
        session.save({"key": next(iter(session.clips)), "kind": "drop"})

    monkeypatch.setattr(asva_pages, "serve_review", serve)
    assert run("data", "review", curated, "--reviewer", "ann", "--no-browser") == 0
    assert shown == ["ann"]
    out = capsys.readouterr().out
    assert "1 clips, 0 decided by ann: http://127.0.0.1:1/secret/" in out and "0 clips in" in out


def test_synchrony_is_judged_without_a_network(raw, tmp_path):
    out = tmp_path / "out"
    low = ["--set", "filters.sync.min=-9", "--set", "filters.frozen.min=0"]
    assert run("curate", raw, out, "--recipe", "open-asva-sync", "--no-text", *SMALL, *low) == 0
    from asva_curate import read_measurements

    curves = {item.path.rsplit("/", 1)[1]: item.curves for item in read_measurements(out / "measurements.parquet")}
    assert curves["a bell.mp4"]["local_sync"].values.max() > 1.0
    assert set(curves["c.mp4"]["local_sync"].values) == {0.0}  # it stands still


def test_test_videos_are_never_kept(raw, tmp_path):
    assert run("curate", raw, tmp_path / "out", "--no-text", "--never", raw / "bells", *SMALL) == 0
    assert json.loads((tmp_path / "out/counts.json").read_text(encoding="utf-8"))["files"]["test-set"] == 1


def test_kept_clips_become_shards(raw, tmp_path, monkeypatch):
    from asva_curate.scale import clip_shards, curating
    from asva_data import TarShards

    out, measured, cut = tmp_path / "out", [], []
    measure, write = curating.measure_safely, clip_shards.write_part
    words = ["curate", raw, out, "--no-text", "--shards", *SMALL]

    def killed(*words):  # before the first clip is cut, after everything is measured
        raise KeyboardInterrupt

    monkeypatch.setattr(clip_shards, "write_part", killed)
    assert run(*words) == 130
    assert (out / ".records").is_dir() and not (out / "shards" / "index.json").exists()
    monkeypatch.setattr(clip_shards, "write_part", lambda *words: (cut.append(words), write(*words)))
    monkeypatch.setattr(curating, "measure_safely", lambda *words, **more: measured.append(measure(*words, **more)))
    assert run(*words) == 0
    assert len(cut) == 1 and not measured
    index = json.loads((out / "shards" / "index.json").read_text(encoding="utf-8"))
    assert index["clips"] == 1 and index["failed"] == {} and list(index["shards"]) == ["shard-000000.tar"]
    shards = TarShards([out / "shards" / "shard-000000.tar"])
    facts = shards.read_json(shards.keys[0])
    assert facts["label"] == "bells" and (facts["start"], facts["end"]) == (0.0, 4.0)
    assert shards.read(shards.keys[0], "mp4") == (raw / "bells" / "a bell.mp4").read_bytes()
    left = sorted(path.name for path in (out / "shards").iterdir())
    assert left == ["index.json", "samples.csv", "shard-000000.tar"]


def test_a_bad_dataset_has_an_exit_code(raw, tmp_path, capsys):
    (tmp_path / "train.txt").write_text("none.mp4\n", encoding="utf-8")
    assert run("data", "check", tmp_path) == 1
    out = capsys.readouterr().out
    assert "problem: missing (1)" in out and "not fit to use" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["curate", "{raw}", "{out}", "--recipe", "none"], "`recipe` must be a YAML file or one of"),
        (["curate", "{raw}", "{out}", "--set", "filters.x.max=1"], "`filters.x.measure` in "),
        (["curate", "{raw}", "{out}", "--set", "max"], "`--set` must be NAME=VALUE"),
        (["curate", "{raw}", "{out}/no/where"], "does not exist"),
        (["curate", "{out}", "{out}"], "`root` must be an existing folder"),
        (["curate", "--again", "{raw}", "{out}"], "measurements.parquet"),
        (["curate", "{raw}", "{out}", "--recipe", "demix"], "`--weights` must give demix=PATH, vocals=PATH"),
        (["data", "check", "{out}"], "`root` must be an existing folder"),
        (["curate", "--reviewed", "{raw}", "{out}"], "`--reviewed` needs --again"),
        (["data", "report", "{raw}"], "must hold the results of `asva curate`"),
        (["data", "review", "{raw}", "--no-browser"], "must hold the results of `asva curate`"),
        (["data", "review", "{raw}", "--reviewer", "../ann"], "must hold the results of `asva curate`"),
        (["data", "prepare", "{raw}", "{out}", "--table", "none.csv"], "`table` must be an existing"),
        (["data", "prepare", "{raw}", "{out}", "--layout", "folder"], "`--layout` must be one with"),
    ],
)
def test_bad_input_is_one_line(words, said, raw, tmp_path, capsys):
    words = [word.format(raw=raw, out=tmp_path / "out") for word in words]
    assert run(*words) in (1, 2)
    error = " ".join(capsys.readouterr().err.split())
    assert said in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
