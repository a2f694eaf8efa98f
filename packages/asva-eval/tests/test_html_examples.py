"""What report.html shows: which clips are best and worst, how large videos may be, where a profile has its top."""

import numpy as np
import pytest

from asva_data import MediaError, read_video, write_video
from asva_eval import html_examples, html_videos
from asva_eval.html_drawings import WIDTH, curves_of, intervals_of
from asva_eval.html_examples import Examples, choosing_scores, ranked
from asva_eval.html_profiles import profile_plots
from asva_eval.html_videos import small_video


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
    ((_, (example,)),) = Examples(report, root, 3).of("mine")
    return example.panels


def test_a_full_report_and_a_lost_file_say_so(one, tmp_path, monkeypatch):
    assert all(panel.video and not panel.problem for panel in panels(one, tmp_path))
    size = len(small_video(*[one["clips"][0]["sides"]["mine"]] * 2, 2.0))
    monkeypatch.setattr(html_examples, "MOST_BYTES_IN_ALL", size + 1)
    assert [bool(panel.video) for panel in panels(one, tmp_path)] == [True, False]
    (tmp_path / "a.mp4").unlink()
    assert all("a.mp4" in panel.problem and panel.curves is None for panel in panels(one, tmp_path))


def test_videos_shrink_or_are_refused(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (12, 300, 402, 3), dtype=np.uint8)
    place = {"file": write_video(tmp_path / "a.mp4", noise, fps=60), "start": 0.0}
    (tmp_path / "b.mp4").write_bytes(small_video(place, place, 1.0))
    clip = read_video(tmp_path / "b.mp4")
    assert clip.frames.shape[1:] == (192, 258, 3) and clip.fps == 30 and clip.waveform is None
    monkeypatch.setattr(html_videos, "MOST_BYTES", 100)
    with pytest.raises(MediaError, match="the video stays above"):
        small_video(place, place, 1.0)


def test_events_and_curves_have_their_places():
    record = {
        "head": {"clip": {"seconds": 2.0, "height": 50, "width": 100}},
        "observed": {
            "SoundEvents": {"events": [1.0], "envelope": {"rate": 4, "peaks": [0, 1, 0, 0, 0, 0, 0, 0]}},
            "MotionCurve": {"fps": 2.0, "curve": [0.0, 5.0, 0.0, 0.0]},
            "MotionChange": {"reason": "too dark"},
        },
    }
    curves = curves_of(record)
    assert curves.heard == [WIDTH / 2] and curves.seen == [] and curves.most_motion == 20  # 5 * 2 of 50 pixels
    assert curves.words == "heard: 1.00 s; seen: too dark"
    assert curves.motion.split()[1] == f"{WIDTH / 4:.1f},2.0"


def test_intervals_share_an_axis():
    (drawn,) = intervals_of({"scores": [score("sync", "higher", {}, swapped={"chance": 0.8})]})
    assert (drawn.low, drawn.high) == (0.4, 0.8)
    assert (drawn.rows[0].low, drawn.rows[0].value, drawn.rows[0].chances) == (0, 25, [("swapped", 100)])
    nothing = score("sync", "higher", {}, value=None, low=None, high=None)
    assert intervals_of({"scores": [nothing]}) == []


def test_a_profile_has_its_top_where_it_was_put():
    shifts = np.arange(-50, 50) / 50
    late = {"shifts": shifts, "scores": np.exp(-(((shifts - 0.3) / 0.1) ** 2))}
    around = {"shifts": (shifts + 2) % 2, "scores": late["scores"]}  # as the small classifier counts
    flat = {"shifts": shifts, "scores": np.zeros(100)}
    clips = [("mine", "a", late), ("mine", "b", dict(late)), ("mine", "c", flat)]
    for profile in (late, around):
        order = np.argsort(profile["shifts"])
        clips[0] = ("mine", "a", {name: np.asarray(values)[order] for name, values in profile.items()})
        (found,) = profile_plots("sync", clips, 2.0, np.random.default_rng(0)).profiles
        assert found.top == pytest.approx(0.3, abs=0.02) and (found.num_clips, found.num_videos) == (2, 2)
    assert profile_plots("sync", [("mine", "c", flat)], 2.0, np.random.default_rng(0)) is None
