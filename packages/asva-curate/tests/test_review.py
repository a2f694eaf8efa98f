"""A review on disk: decisions that outlive a kill, agreement of reviewers, and what is left of a set after them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from asva_curate import (
    Decision,
    DecisionLog,
    Results,
    Span,
    Verdict,
    agreement,
    apply_reviews,
    clip_key,
    disputed,
    merge_reviews,
    read_reviews,
)
from asva_curate.curation.results import read_verdicts
from asva_data import MediaError, read_wanted

KEEP, DROP = Decision("keep", 0.0, 3.0), Decision("drop", 0.0, 3.0)


def test_the_last_decision_counts_and_open_takes_it_back(tmp_path):
    log = DecisionLog(tmp_path, "ann")
    for kind in ("keep", "drop"):
        log.save("a", Decision(kind, 0.5, 2.5))
    log.save("b", KEEP)
    log.save("b", Decision("open", 0.0, 3.0))
    again = DecisionLog(tmp_path, "ann")
    assert again.decisions == log.decisions == {"a": Decision("drop", 0.5, 2.5)}
    assert read_reviews(tmp_path) == {"ann": again.decisions}


def test_every_prefix_of_a_log_is_a_log(tmp_path):
    log = DecisionLog(tmp_path, "ann")
    for key in "abc":
        log.save(key, KEEP)
    whole = log.path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    for size in range(len(whole)):
        log.path.write_bytes(whole[:size])
        found = DecisionLog(tmp_path, "ann")
        kept = sum(size >= end - 1 for end in ends)  # a line is whole without its line break
        assert list(found.decisions) == list("abc")[:kept]
        found.save("d", DROP)
        assert list(DecisionLog(tmp_path, "ann").decisions) == [*"abc"[:kept], "d"]


@pytest.mark.parametrize("name", ["", "../ann", "a/b", ".ann", "a b", "x" * 65])
def test_a_reviewer_is_no_path(name, tmp_path):
    with pytest.raises(MediaError, match="`reviewer` must be"):
        DecisionLog(tmp_path, name)


def test_a_log_of_something_else_is_refused(tmp_path):
    log = DecisionLog(tmp_path, "ann")
    log.save("a", KEEP)
    log.path.write_text('{"word": 1}\n', encoding="utf-8")
    with pytest.raises(MediaError, match="must be a log of decisions"):
        DecisionLog(tmp_path, "ann")
    with pytest.raises(MediaError, match="`decision` must be one of"):
        log.save("a", Decision("maybe", 0, 1))


def test_agreement_by_hand():
    # 10 clips: 6 both keep, 2 both drop, 1 and 1 differ: p_same 0.8, p_chance 0.7 * 0.7 + 0.3 * 0.3 = 0.58.
    ann = {str(n): KEEP if n < 7 else DROP for n in range(10)}
    ben = {str(n): KEEP if n < 6 or n == 9 else DROP for n in range(10)}
    ben["0"] = Decision("keep", 1.0, 3.0)
    ben["alone"] = KEEP
    (found,) = agreement({"ann": ann, "ben": ben})
    assert (found.clips, found.same) == (10, 0.8)
    assert found.kappa == pytest.approx(0.22 / 0.42)
    assert found.low < found.kappa < found.high
    assert found.overlap == pytest.approx((5 + 2 / 3) / 6)
    assert disputed({"ann": ann, "ben": ben}) == ["6", "9"]


def test_agreement_without_common_clips_or_without_a_choice():
    (apart,) = agreement({"ann": {"a": KEEP}, "ben": {"b": KEEP}})
    assert (apart.clips, apart.same, apart.kappa, apart.overlap) == (0, None, None, None)
    (one_word,) = agreement({"ann": {"a": KEEP}, "ben": {"a": KEEP}})
    assert (one_word.same, one_word.kappa, one_word.overlap) == (1.0, None, 1.0)


def verdict(*clips):
    return Verdict(path="a.mp4", label="x", clips=tuple(Span(start=a, end=b) for a, b in clips))


def reviews(**kinds):
    key = clip_key("a.mp4", 0.0, 3.0)
    return {name: {key: Decision(*decision)} for name, decision in kinds.items()}


@pytest.mark.parametrize(
    ("decided", "reason", "span"),
    [
        ({}, "nobody has looked", (0.0, 3.0)),
        ({"ann": ("keep", 0.5, 2.0)}, "", (0.5, 2.0)),
        ({"ann": ("drop", 0.0, 3.0)}, "dropped by ann", (0.0, 3.0)),
        ({"ann": ("keep", 0.0, 3.0), "ben": ("drop", 0.0, 3.0)}, "dropped by ben", (0.0, 3.0)),
        ({"ann": ("keep", 0.5, 3.0), "ben": ("keep", 0.0, 2.0)}, "", (0.5, 2.0)),
        ({"ann": ("keep", 0.0, 1.0), "ben": ("keep", 2.0, 3.0)}, "share no moment", (0.0, 3.0)),
        ({"ann": ("keep", 0.0, 1.0), "ben": ("drop", 0.0, 3.0), "cem": ("keep", 0.5, 3.0)}, "", (0.5, 1.0)),
    ],
)
def test_most_decide_and_cuts_meet(decided, reason, span):
    (found,) = apply_reviews([verdict((0.0, 3.0))], reviews(**decided))
    (clip,) = found.clips
    assert reason in clip.reason and clip.kept == (not reason)
    assert (clip.start, clip.end) == span


def test_what_was_dropped_before_stays_dropped():
    old = Verdict(path="a.mp4", label="", clips=(Span(start=0.0, end=3.0, reason="duplicate: x"),))
    assert apply_reviews([old], reviews(ann=("keep", 0.0, 3.0))) == [old]


def test_verdicts_are_read_back_as_they_were_written(curated):
    results = Results(curated.folder)
    assert results.verdicts == curated.verdicts
    assert [item.path for item in results.measurements()] == [one.path for one in results.verdicts]
    assert results.recipe == curated.recipe


def test_a_merge_is_a_table_of_clips(curated):
    key, path, clip = curated.clips[0]
    DecisionLog(curated.folder, "ann").save(key, Decision("keep", clip.start + 0.25, clip.end))
    merged = merge_reviews(curated.folder)
    assert sum(one.kept for found in merged for one in found.clips) == 1
    (row,) = read_wanted(curated.folder / "reviewed.csv")
    assert (row.start, row.end, row.label, row.path) == (clip.start + 0.25, clip.end, "bell", path)


@pytest.mark.parametrize("text", ["", "path,label\na,b\n", "path,label,kind,start,end,reason\na,,window,x,1,\n"])
def test_a_table_of_something_else_is_refused(text, tmp_path):
    (tmp_path / "reasons.csv").write_text(text, encoding="utf-8")
    with pytest.raises(MediaError, match="`path` must be a table"):
        read_verdicts(tmp_path / "reasons.csv")


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(MediaError, match="must hold the results of `asva curate`, got no measurements"):
        Results(tmp_path)


def test_lines_hold_what_a_person_can_read(tmp_path):
    log = DecisionLog(tmp_path, "ann")
    log.save("a", KEEP)
    row = SimpleNamespace(**json.loads(log.path.read_text(encoding="utf-8")))
    assert (row.key, row.kind, row.start, row.end) == ("a", "keep", 0.0, 3.0)
    assert np.datetime64(row.at.removesuffix("+00:00")) > np.datetime64("2020-01-01")
