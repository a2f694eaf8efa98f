"""What report.html shows: which clips are best and worst, how large videos may be, where lines are drawn."""

import numpy as np
import pytest

from asva_eval import drawings, examples
from asva_eval.drawings import draw_curves, draw_intervals, draw_profiles, mean_profile
from asva_eval.examples import Examples, choosing_scores, ranked


def score(title, better, values, **figures):
    """An entry of a report; values by clip."""
    figures = {"value": 0.5, "low": 0.4, "high": 0.6, "per_clip": values} | figures
    return {"title": title, "better": better, "unit": "", "systems": {"mine": figures}}


def test_clips_are_ordered_by_their_mean_rank_over_scores_of_timing():
    chance = {"shifted": {"chance": 0.1}}
    scores = [
        score("sync", "higher", {"a": 0.9, "b": 0.5, "c": 0.1, "d": None}, **chance),
        score("error", "lower", {"a": 10.0, "b": 90.0, "c": 20.0, "d": None}, **chance),
        score("other", "higher", {"a": 1.0, "b": 2.0, "c": 3.0, "d": 9.0}),
    ]
    chosen = choosing_scores({"scores": scores})
    assert [one["title"] for one in chosen] == ["sync", "error"]
    assert ranked("mine", chosen) == ["a", "b", "c"]  # b and c tie, and d is undefined
    assert [one["title"] for one in choosing_scores({"scores": scores[2:]})] == ["other"]
    assert ranked("theirs", chosen) == []


@pytest.fixture
def one(tmp_path, write_ball):
    """A report of one clip that has no record but its head."""
    path = write_ball(tmp_path / "a.mp4", 0.3, 0.6)
    (tmp_path / "a.json").write_text('{"head": {}, "observed": {}}', encoding="utf-8")
    side = {"file": str(path), "start": 0.0, "record": "a.json"}
    return {
        "scores": [score("sync", "higher", {"a": 1.0})],
        "clips": [{"key": "a", "class": "", "sides": {"mine": side, "reference": side}}],
        "protocol": {"fields": {"sound": "own", "seconds": 2.0}},
    }


def panels(report, root):
    _, card = Examples(report, root, 3).of("mine")
    return card.blocks[0].blocks


def test_a_full_report_and_a_lost_file_say_so(one, tmp_path, monkeypatch):
    first, second = panels(one, tmp_path)
    assert first.video == second.video and not first.problem and (first.name, second.name) == ("mine", "the true clip")
    monkeypatch.setattr(examples, "MOST_BYTES_IN_ALL", len(first.video) + 1)
    first, second = panels(one, tmp_path)
    assert first.video and not second.video and "too large" in second.problem
    (tmp_path / "a.mp4").unlink()
    assert all("a.mp4" in panel.problem and panel.curves is None for panel in panels(one, tmp_path))


@pytest.fixture
def painted(monkeypatch):
    """The figures that are painted, instead of their SVG."""
    from matplotlib.figure import Figure

    made = []

    def paint(painter, width, height):
        made.append(Figure(figsize=(width / 72, height / 72)))
        painter(made[-1])
        return "<svg></svg>"

    monkeypatch.setattr(drawings, "draw", paint)
    return made


def test_events_and_curves_have_their_places(painted):
    record = {
        "head": {"clip": {"seconds": 2.0, "height": 50, "width": 100}},
        "observed": {
            "SoundEvents": {"events": [1.0], "envelope": {"rate": 4, "peaks": [0, 1, 0, 0, 0, 0, 0, 0]}},
            "MotionCurve": {"fps": 2.0, "curve": [0.0, 5.0, 0.0, 0.0]},
            "MotionChange": {"reason": "too dark"},
        },
    }
    words = draw_curves(record).words
    assert words == "heard: 1.00 s; seen: too dark. Top of the motion: 20.00 % of the shorter side per second."
    above, below = painted[0].axes
    assert above.get_position().bounds[::2] == below.get_position().bounds[::2] == (0, 1)  # as wide as the video's time
    assert above.get_xlim() == below.get_xlim() == (0, 2)
    heard, (motion, seen) = above.lines[0], below.lines
    assert list(heard.get_xdata()) == [1.0] and list(seen.get_xdata()) == []
    assert motion.get_xydata().tolist() == [[0, 0], [0.5, 20], [1, 0], [1.5, 0]]  # 5 * 2 of 50 pixels
    assert draw_curves({"head": {}, "observed": {}}) is None


def test_intervals_share_an_axis(painted):
    (card,) = draw_intervals({"scores": [score("sync", "higher", {}, swapped={"chance": 0.8})]})
    assert (card.name, card.note) == ("sync", "higher is better")
    assert card.blocks[0].words == "mine: 0.500 [0.400, 0.600]"
    (axes,) = painted[0].axes
    ends = [sorted({x for segment in lines.get_segments() for x, _ in segment}) for lines in axes.collections]
    assert ends == [[0.8], [0.4, 0.6], [0.5]] and axes.get_xlim() == pytest.approx((0.38, 0.82))
    nothing = score("sync", "higher", {}, value=None, low=None, high=None)
    assert draw_intervals({"scores": [nothing]}) == []


def test_a_profile_has_its_top_where_it_was_put(painted):
    shifts = np.arange(-50, 50) / 50
    late = {"shifts": shifts, "scores": np.exp(-(((shifts - 0.3) / 0.1) ** 2))}
    around = {"shifts": (shifts + 2) % 2, "scores": late["scores"]}  # as the small classifier counts
    flat = {"shifts": shifts, "scores": np.zeros(100)}
    clips = [("mine", "a", late), ("mine", "b", dict(late)), ("mine", "c", flat)]
    for profile in (late, around):
        order = np.argsort(profile["shifts"])
        clips[0] = ("mine", "a", {name: np.asarray(values)[order] for name, values in profile.items()})
        heading, grid = draw_profiles("sync", clips, 2.0, np.random.default_rng(0))
        assert heading.words == "sync" and grid.blocks[0].note == "2 clips of 2 videos; top at +0.30 s"
        x, y = painted[-1].axes[0].lines[-1].get_data()
        assert x[y.argmax()] == pytest.approx(0.3, abs=0.02)
    assert draw_profiles("sync", [("mine", "c", flat)], 2.0, np.random.default_rng(0)) == []


def test_the_band_of_a_profile_is_that_of_drawn_videos():
    rows = np.random.default_rng(1).normal(size=(40, 3))
    mean, low, high = mean_profile([str(place // 2) for place in range(40)], rows, np.random.default_rng(0))
    np.testing.assert_allclose(mean, rows.mean(axis=0))
    halves = rows.reshape(20, 2, 3).mean(axis=1).std(axis=0, ddof=1) / np.sqrt(20)
    np.testing.assert_allclose(high - low, 2 * 1.96 * halves, rtol=0.2)
    mean, low, high = mean_profile(["a", "a"], rows[:2], np.random.default_rng(0))
    np.testing.assert_allclose(low, high)
