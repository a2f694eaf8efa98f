"""The page about a curated set: every number in it from the results, every name in it harmless."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from asva_curate import Decision, DecisionLog, percentiles, read_measurements, write_report
from asva_curate.report import histogram as drawn
from asva_curate.report.examples import choose
from asva_curate.report.histogram import BINS, draw_histogram, histogram
from asva_data import MediaError


@pytest.fixture(scope="module")
def written(curated_once, tmp_path_factory):
    import shutil

    folder = tmp_path_factory.mktemp("report") / "set <1>"
    shutil.copytree(curated_once, folder)
    return write_report(folder, examples=2)


@pytest.fixture(scope="module")
def report(written):
    return json.loads(written.with_name("report.json").read_text(encoding="utf-8"))


def test_counts_are_those_of_the_run(report, written):
    assert report["counts"] == json.loads(written.with_name("counts.json").read_text(encoding="utf-8"))
    totals = report["totals"]
    assert (totals["files"], totals["files_kept"], totals["clips_kept"], totals["seconds_kept"]) == (5, 2, 2, 8.0)
    assert totals["seconds"] == pytest.approx(16.0)
    (bell,) = report["classes"]
    assert (bell["label"], bell["files"], bell["clips_kept"], bell["seconds_kept"]) == ("bell", 5, 2, 8.0)


def test_every_measurement_is_there_with_its_thresholds(report, curated_once):
    shown = {one["name"]: one for one in report["measurements"]}
    measured = read_measurements(curated_once / "measurements.parquet")
    assert {f"({name})" for name in ("cuts", "aspect", "sound_gap", "content", "peak")} <= set(shown)
    for name in ("duration", "fps", "resolution", "black", "blank", "frozen", "flow", "silent"):
        rule = report["recipe"]["filters"][name]
        assert (shown[name]["min"], shown[name]["max"]) == (rule["min"], rule["max"])
    frozen = shown["frozen"]
    assert (frozen["of"], frozen["count"], sum(frozen["kept"]), sum(frozen["dropped"])) == ("windows", 12, 9, 3)
    assert frozen["below"] == 3
    from asva_curate import load_recipe

    recipe = load_recipe(curated_once / "recipe.yaml")
    assert frozen["percentiles"]["50"] == pytest.approx(percentiles(measured, recipe)["frozen"][50])


def test_duplicates_failures_and_examples(report, written):
    (twin,) = report["duplicates"]
    assert twin["path"].endswith("copy.mp4") and twin["twin"].endswith("a b.mp4") and twin["same"] == "pictures"
    assert report["failures"]["count"] == 1 and report["failures"]["first"][0]["path"].endswith("none.mp4")
    page = written.read_text(encoding="utf-8")
    heads = re.findall(r"<h3>(.*?)</h3>", page)
    assert heads[0] == "kept" and set(heads) == {"kept", "frozen", "duplicate", "failed"}
    assert page.count("<video") == 5  # two kept, one frozen, the copy and its twin
    assert "No video: `path` must be" in page


def test_names_are_harmless_and_nothing_is_outside(written):
    page = written.read_text(encoding="utf-8")
    assert "<b>&\"'" not in page and "&lt;b&gt;&amp;&#34;&#39;" in page
    assert "<title>set &lt;1&gt;" in page
    assert "<script" not in page and "default-src 'none'" in page
    assert not re.search(r'(src|href|poster)="(?!data:|#)', page)


def test_examples_are_the_same_again_and_one_of_a_file(curated):
    first, second = choose(curated.verdicts, 3), choose(curated.verdicts, 3)
    assert first == second
    assert all(len({one.path for one in group}) == len(group) for group in first.values())
    assert len(choose(curated.verdicts, 1)["kept"]) == 1


def test_reviews_stand_in_it(curated):
    keys = [key for key, _, _ in curated.clips]
    for name, kinds in (("ann", ("keep", "drop")), ("ben", ("keep", "keep"))):
        for key, kind in zip(keys, kinds, strict=True):
            DecisionLog(curated.folder, name).save(key, Decision(kind, 0.0, 4.0))
    page = write_report(curated.folder, examples=0).read_text(encoding="utf-8")
    assert "ann and ben both decided 2 clips and agree on 50.0 % of them" in " ".join(page.split())
    assert "1 clips are disputed" in page and "<video" not in page


def test_a_folder_of_something_else_and_a_wrong_number(curated, tmp_path):
    with pytest.raises(MediaError, match="results of `asva curate`"):
        write_report(tmp_path)
    with pytest.raises(MediaError, match="`examples` must be at least 0"):
        write_report(curated.folder, examples=-1)


def test_missing_videos_do_not_stop_it(curated):
    table = curated.folder / "reasons.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("a b.mp4", "gone.mp4"), encoding="utf-8")
    assert "No video: `path` must be an existing file" in write_report(curated.folder).read_text(encoding="utf-8")


def test_histogram_against_counting():
    values = np.random.default_rng(0).normal(size=1000)
    found = histogram(values[:600], [*values[600:], float("nan")], -1.0, None)
    edges = np.array(found["edges"])
    assert len(edges) == BINS + 1 and edges[0] < np.percentile(values, 1) and edges[-1] > np.percentile(values, 99)
    assert (sum(found["kept"]), sum(found["dropped"]), found["count"], found["missing"]) == (600, 400, 1000, 1)
    assert (found["below"], found["above"]) == (int((values < -1).sum()), 0)
    middle = [int(((values[:600] >= a) & (values[:600] < b)).sum()) for a, b in pairwise(edges[1:-1])]
    assert found["kept"][1:-1] == middle


@pytest.mark.parametrize(
    ("kept", "low", "high"), [([2.0], None, None), ([0.0, 0.0], 5.0, None), ([1.0, 2.0], -3.0, 9.0)]
)
def test_bounds_lie_within_the_drawing(kept, low, high, monkeypatch):
    from matplotlib.figure import Figure

    figure = Figure()
    monkeypatch.setattr(drawn, "draw", lambda paint, width, height: paint(figure))
    measure = {"name": "x", "of": "files", "min": low, "max": high, **histogram(kept, [], low, high)}
    words = draw_histogram(measure).words
    (axes,) = figure.axes
    first, last = axes.get_xlim()
    bounds = [line.get_xdata()[0] for line in axes.lines]
    assert bounds == [bound for bound in (low, high) if bound is not None]
    assert all(first <= bound <= last for bound in bounds) and all(f" {bound:g}" in words for bound in bounds)
    assert sum(bar.get_height() for bar in axes.patches) == len(kept)


def test_nothing_measured_is_no_drawing():
    assert histogram([], [float("nan")], 0.0, 1.0)["edges"] == []
