"""Cuts, windows, filters and recipes on numbers alone: no file is decoded."""

import numpy as np
import pytest

from asva_curate import (
    Curve,
    CutRule,
    Filter,
    Measurements,
    SetRule,
    Span,
    Verdict,
    WindowRule,
    count_reasons,
    decide,
    find_cuts,
    load_recipe,
    percentiles,
    recipe_names,
    shots,
)
from asva_curate.curation.curve import statistic
from asva_curate.curation.recipe import parse_recipe
from asva_curate.curation.whole_set import balance
from asva_curate.curation.windows import merge, windows
from asva_data import MediaError


def pairs(values, step=0.1):
    """A curve of pairs of neighbouring frames."""
    return Curve.of((step * i, step * (i + 1), value) for i, value in enumerate(values))


def measured(**curves):
    known = {"duration": 6.0, "sound_seconds": 6.0, "fps": 24.0, "height": 256, "width": 340}
    known |= {name: curves.pop(name) for name in list(curves) if name in (*known, "label", "path", "failure")}
    return Measurements(**{"path": "a.mp4", **known}, curves=curves)


def test_a_window_takes_only_what_lies_wholly_inside():
    curve = pairs([1, 2, 3, 4])
    assert curve.within(0.1, 0.3).tolist() == [2, 3]
    assert curve.within(0.15, 0.3).tolist() == [3]
    assert [statistic(curve.values, name) for name in ("mean", "min", "max", "p50")] == [2.5, 1, 4, 2.5]
    assert np.isnan(statistic(curve.within(9, 10), "mean"))
    with pytest.raises(MediaError, match="`stat`"):
        statistic(curve.values, "p101")


def test_cuts_stand_out_from_their_neighbours():
    scores = [2.0] * 30
    scores[10] = 60.0  # a cut
    scores[20:23] = [40.0, 45.0, 42.0]  # fast motion
    scores[29] = 50.0  # a cut at the end, which has neighbours on one side only
    item = measured(content=pairs(scores), duration=3.0)
    assert np.array(find_cuts(item)) == pytest.approx(np.array([(1.0, 1.1), (2.9, 3.0)]))
    assert np.array(shots(item)) == pytest.approx(np.array([(0.0, 1.0), (1.1, 2.9), (3.0, 3.0)]))
    assert len(find_cuts(item, CutRule(ratio=0.0, floor=40.0))) == 5
    with pytest.raises(MediaError, match="`curve`"):
        find_cuts(item, CutRule(curve="cut"))


def test_cuts_agree_with_pyscenedetect():
    import cv2
    from scenedetect import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    from asva_curate.curation.picture import PictureMeter

    generator = np.random.default_rng(0)
    scenes = generator.integers(0, 255, (6, 9, 16, 3), np.uint8)
    scenes = [cv2.resize(scene, (128, 72), interpolation=cv2.INTER_CUBIC) for scene in scenes]
    frames = [np.roll(scene, step, 1) for scene in scenes for step in range(12)]
    detector, meter, theirs = AdaptiveDetector(min_scene_len=1), PictureMeter(), []
    for index, frame in enumerate(frames):
        theirs += [cut.frame_num for cut in detector.process_frame(FrameTimecode(index, 10.0), frame)]
        meter(index / 10, frame)
    item = Measurements(path="a", duration=len(frames) / 10, curves=meter.curves())
    assert [round(new * 10) for _, new in find_cuts(item, CutRule(floor=15.0))] == theirs == [12, 24, 36, 48, 60]


def test_windows_and_merging():
    rule = WindowRule(seconds=3.0, stride=0.5)
    assert windows((0.0, 4.0), rule) == [(0.0, 3.0), (0.5, 3.5), (1.0, 4.0)]
    assert windows((1.1, 4.0), rule) == []
    assert windows((1.0, 4.0), WindowRule(seconds=None)) == [(1.0, 4.0)]
    assert merge([(1.0, 4.0), (0.0, 3.0), (5.0, 8.0)]) == [(0.0, 4.0), (5.0, 8.0)]
    with pytest.raises(MediaError, match="`seconds`"):
        WindowRule(stride=0)


def test_a_filter_keeps_drops_and_says_why():
    rule = Filter(name="flow", measure="flow", max=1.0)
    item = measured(flow=pairs([0.5] * 20 + [3.0] * 20))
    assert rule.reason(rule.value(item, 0.0, 2.0)) is None
    assert rule.reason(rule.value(item, 2.0, 4.0)) == "flow: 3 > 1"
    assert rule.reason(rule.value(item, 7.0, 9.0)) == "flow: nothing measured"
    assert Filter(name="fps", measure="fps", min=30).reason(24.0) == "fps: 24 < 30"
    assert not Filter(name="ia", measure="ia").applies(item)
    assert not Filter(name="ia", measure="ia", min=0.1, optional=True).applies(item)
    with pytest.raises(MediaError, match="`ia` must be measured"):
        Filter(name="ia", measure="ia", min=0.1).applies(item)


def test_a_mute_file_falls_to_the_filter_of_sound():
    recipe = parse_recipe({"name": "a", "filters": {"silent": {"measure": "level", "stat": "p90", "min": -60}}})
    verdict = decide(measured(sound_seconds=0.0), recipe)
    assert {span.reason for span in verdict.windows} == {"silent: nothing measured"}


def test_a_verdict_merges_what_is_kept_and_never_reaches_over_a_cut():
    recipe = parse_recipe({"name": "a", "windows": {"seconds": 1.0, "stride": 0.5}, "filters": {}})
    scores = [1.0] * 60
    scores[29] = 90.0
    verdict = decide(measured(content=pairs(scores)), recipe)
    assert [(clip.start, clip.end) for clip in verdict.clips] == [(0.0, 2.5), (3.0, 6.0)]
    bad = parse_recipe({"name": "a", "windows": {"seconds": 1.0}, "filters": {"p": {"measure": "content", "max": 5}}})
    verdict = decide(measured(content=pairs([1.0] * 20 + [9.0] * 20 + [1.0] * 20)), bad)
    assert [(clip.start, clip.end) for clip in verdict.clips] == [(0.0, 2.5), (3.5, 6.0)]  # halves of either pass
    assert verdict.windows[4].reason.startswith("p: ")


def test_files_that_failed_or_are_too_short_have_one_reason():
    recipe = load_recipe("open-asva")
    assert decide(measured(failure="gone"), recipe).reason == "failed: gone"
    assert decide(measured(duration=1.0), recipe).reason == "duration: 1 < 3"


def test_classes_are_balanced_always_alike():
    spans = tuple(Span(start=float(i), end=i + 1.0) for i in range(5))
    verdicts = [Verdict(path="a", label="dog", clips=spans), Verdict(path="b", label="cat", clips=spans[:2])]
    settled = balance(verdicts, SetRule(min_per_class=3, max_per_class=4))
    assert sum(clip.kept for clip in settled[0].clips) == 4
    assert {clip.reason for clip in settled[1].clips} == {"small-class: 2 < 3"}
    assert settled == balance(verdicts, SetRule(min_per_class=3, max_per_class=4))
    assert balance([Verdict(path="c", label="", clips=spans)], SetRule(min_per_class=9))[0].clips == spans
    counts = count_reasons(settled)
    assert counts["clips"] == {"kept": 4, "large-class": 1, "small-class": 2}
    assert counts["files"] == {"kept": 1, "no clip left": 1}


@pytest.mark.parametrize("name", recipe_names())
def test_bundled_recipes_load_and_survive_their_own_record(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert parse_recipe(recipe.record()) == recipe


def test_thresholds_are_parameters():
    recipe = load_recipe("open-asva", {"filters.flow.max": 0.5, "windows.seconds": 2.0})
    assert next(rule for rule in recipe.filters if rule.name == "flow").max == 0.5
    assert recipe.windows.seconds == 2.0


@pytest.mark.parametrize(
    ("plain", "named"),
    [
        ([], "`recipe`"),
        ({"name": "a", "filter": {}}, "filter"),
        ({"name": "a", "filters": {"x": {"measure": "flow", "mx": 1}}}, "filters.x"),
        ({"name": "a", "filters": {"x": {"measure": "flow", "max": "much"}}}, "filters.x.max"),
        ({"name": "a", "filters": {"x": {"measure": "flow", "min": 2, "max": 1}}}, "filter x"),
        ({"filters": {}}, "name"),
    ],
)
def test_bad_recipes_are_named(plain, named):
    with pytest.raises(MediaError, match=named):
        parse_recipe(plain)


@pytest.mark.parametrize(
    ("source", "overrides", "named"),
    [("none", {}, "must be a YAML file or one of"), ("open-asva", {"filters.flw.max": 1}, "flw")],
)
def test_bad_sources_and_overrides_are_named(source, overrides, named):
    with pytest.raises(MediaError, match=named):
        load_recipe(source, overrides)


def test_a_recipe_that_does_not_parse(tmp_path):
    (tmp_path / "a.yaml").write_text("name: [", encoding="utf-8")
    with pytest.raises(MediaError, match="valid YAML"):
        load_recipe(tmp_path / "a.yaml")


def test_percentiles_of_every_number():
    recipe = parse_recipe({
        "name": "a",
        "filters": {"fps": {"measure": "fps"}, "flow": {"measure": "flow"}, "ia": {"measure": "ia"}},
    })  # fmt: skip
    items = [measured(flow=pairs([float(i)] * 60)) for i in range(11)]
    found = percentiles([*items, measured(failure="gone")], recipe, (0, 50, 100))
    assert found == {"fps": {0: 24.0, 50: 24.0, 100: 24.0}, "flow": {0: 0.0, 50: 5.0, 100: 10.0}}
