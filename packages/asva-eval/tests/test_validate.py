"""Ratings in each published layout, joined with a report's videos; unknown videos, ties, one rater, one system."""

import json

import numpy as np
import pytest

from asva_eval.ratings import RatingsError, read_ratings
from asva_eval.validate import read_report, validate

SYSTEMS, VIDEOS = ("good", "poor"), [f"dog/{i}.mp4" for i in range(12)]


@pytest.fixture
def report():
    """A report of two clips of each video, whose sync score is the quality and whose error falls with it."""
    generator = np.random.default_rng(0)
    quality = {(s, v): (s == "good") + generator.normal() for s in SYSTEMS for v in VIDEOS}
    clips = [{"key": f"{v[:-4]}@{start:.3f}", "video": v} for v in VIDEOS for start in (0, 1)]
    sync = {s: {c["key"]: quality[s, c["video"]] for c in clips} for s in SYSTEMS}
    error = {s: {key: -value if value > -9 else None for key, value in sync[s].items()} for s in SYSTEMS}
    scores = [
        {"name": name, "title": name, "better": better, "systems": {s: {"per_clip": values[s]} for s in SYSTEMS}}
        for name, better, values in (("sync", "higher", sync), ("error", "lower", error))
    ]
    scores[0]["systems"]["good"]["per_clip_excess"] = sync["good"]
    return {"systems": list(SYSTEMS), "scores": scores, "clips": clips, "quality": quality}


def rows(report, raters=3, noise=0.3):
    generator = np.random.default_rng(1)
    return [
        {"clip": video, "system": system, "rater": f"r{r}", "rating": round(3 + q + noise * generator.normal(), 2)}
        for (system, video), q in report["quality"].items()
        for r in range(raters)
    ]


def write(path, table, form):
    if form == "csv":
        lines = [",".join(table[0]), *(",".join(map(str, row.values())) for row in table)]
        path.write_text("\n".join(lines), encoding="utf-8")
    elif form == "syncreward":
        named = [{"uid": r["clip"], "model": r["system"], "rater": r["rater"], "score": r["rating"]} for r in table]
        path.write_text("\n".join(map(json.dumps, named)), encoding="utf-8")
    else:
        means = {}
        for row in table:
            means.setdefault(row["clip"], {}).setdefault(row["system"], []).append(row["rating"])
        found = {clip: {s: float(np.mean(v)) for s, v in systems.items()} for clip, systems in means.items()}
        path.write_text(json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("form", "name"), [("csv", "r.csv"), ("syncreward", "r.jsonl"), ("evaluator", "overall_scores.json")]
)
def test_each_layout_gives_the_same_agreement(report, tmp_path, form, name):
    found = validate(report, read_ratings(write(tmp_path / name, rows(report), form)))
    best = found["scores"][0]
    assert best["spearman"]["value"] > 0.9 and best["accuracy"]["value"] > 0.8
    by_name = {one["title"]: one for one in found["scores"]}
    assert by_name["error"]["spearman"]["value"] == pytest.approx(by_name["sync"]["spearman"]["value"])
    assert by_name["sync, excess over other clips"]["num_videos"] == 12  # only one system has it
    assert found["num_videos"] == 24 and found["num_raters"] == (1 if form == "evaluator" else 3)
    assert (found["ceiling"] is None) == (form == "evaluator")


def test_unknown_videos_are_counted_and_none_known_is_an_error(report, tmp_path):
    table = [*rows(report), {"clip": "cat", "system": "good", "rater": "r0", "rating": 3}]
    found = validate(report, read_ratings(write(tmp_path / "r.csv", table, "csv")))
    assert found["unknown"] == ["good, cat"]
    with pytest.raises(RatingsError, match="must be of the report's videos, got cat of good"):
        validate(report, read_ratings(write(tmp_path / "x.csv", table[-1:], "csv")))


def test_ties_and_a_single_video_say_why(report, tmp_path):
    same = [row | {"rating": 3} for row in rows(report)]
    found = validate(report, read_ratings(write(tmp_path / "same.csv", same, "csv")))
    assert all(
        one["reason"] == "all ratings are the same" and one["spearman"]["value"] is None for one in found["scores"]
    )
    one = [row for row in rows(report) if row["clip"] == VIDEOS[0]]
    found = validate(report, read_ratings(write(tmp_path / "one.csv", one, "csv")))
    assert "3 are needed" in found["scores"][0]["reason"]


def test_bad_files_are_one_line(tmp_path):
    for name, text, said in (
        ("a.csv", "clip,rating\nx,1", "must have a column system or model or method, got .* --columns system=COLUMN"),
        ("b.csv", "clip,system,rating\nx,y,good", "must be numbers, got 'good' in row 1"),
        ("c.csv", "clip,system,rating\n", "at least one row"),
        ("d.json", "[1, 2]", "it holds no rows"),
        ("e.jsonl", "{", "must be a CSV, JSONL or JSON"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(RatingsError, match=said):
            read_ratings(tmp_path / name)
    (tmp_path / "f.csv").write_text("video,arm,mos\nx,y,3", encoding="utf-8")
    (rating,) = read_ratings(tmp_path / "f.csv", {"system": "arm", "rating": "mos"})
    assert (rating.clip, rating.system, rating.value) == ("x", "y", 3.0)
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RatingsError, match=r"must be a report\.json"):
        read_report(tmp_path / "report.json")
