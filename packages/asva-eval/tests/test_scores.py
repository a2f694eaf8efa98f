"""The list of scores: every description is whole, settings are checked, other packages' scores take part."""

import sys

import numpy as np
import pytest
import yaml

from asva_eval import ProtocolError, Score, evaluate, load_protocol, score_names, write_report
from asva_eval.conventions import Conventions
from asva_eval.scores import SCORES, choose

MADE_UP = """
from asva_eval import Score
from asva_eval.observations import MotionCurve


def fastest(clip):
    return float(max(clip.generated.facts(MotionCurve())["curve"]))


FASTEST = Score(name="fastest", title="fastest moment", better="higher", blind_to="the rest", of_clip=fastest,
                observations=(MotionCurve(),))
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with a score, as pip would install it; ``installed(point)`` names the object it points to."""

    def install(point):
        (tmp_path / "made_up_scores.py").write_text(MADE_UP, encoding="utf-8")
        info = tmp_path / "made_up_scores-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up-scores\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[asva.scores]\nfastest = {point}\n", encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "made_up_scores", raising=False)

    return install


def protocol_of(folder, *scores):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"description": "mine", "scores": list(scores)}), encoding="utf-8")
    return path


def test_every_score_says_what_it_is():
    for score in map(choose, SCORES):
        assert score.title and score.settings["score"] in score_names()
        assert score.blind_to or not score.better
        assert bool(score.chance_rule) == bool(score.chances)
        assert bool(score.of_clip) != bool(score.features) and score.observed(Conventions(description=""))


def test_another_packages_score_is_in_the_report(installed, tmp_path, write_ball):
    installed("made_up_scores:FASTEST")
    assert "fastest" in score_names()
    for side in ("true", "made"):
        for place in range(2):
            write_ball(tmp_path / side / f"{place}.mp4", 0.3 + 0.1 * place, 0.6)
    protocol = load_protocol(protocol_of(tmp_path, "motion", {"score": "fastest", "scale": 10}))
    result = evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path / "out", protocol=protocol, workers=2)
    entry = write_report(result, tmp_path / "out", command=[])["scores"][1]
    fastest = [max(clip.generated.observed["MotionCurve"]["curve"]) for clip in result.clips("it")]
    assert entry["systems"]["it"]["value"] == pytest.approx(10 * np.mean(fastest)) and entry["better"] == "higher"
    assert "fastest moment" in (tmp_path / "out/report.md").read_text(encoding="utf-8")


def test_unknown_scores_are_answered_with_all_names(installed, tmp_path):
    installed("made_up_scores:FASTEST")
    with pytest.raises(ProtocolError, match=r"`score` must be one of motion, .*fastest, got 'beauty'"):
        load_protocol(protocol_of(tmp_path, "beauty"))


def test_an_entry_point_that_is_no_score_is_named(installed, tmp_path):
    installed("made_up_scores:fastest")
    with pytest.raises(ProtocolError, match=r"asva_eval\.Score called 'fastest', got made_up_scores:fastest"):
        load_protocol(protocol_of(tmp_path, "fastest"))


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"score": "motion", "rule": "2023"}, "`rule` is no setting of motion"),
        ({"score": "psnr", "where": "sky"}, "`where` must be one of all, moving, got 'sky'"),
        ({"score": "motion", "scale": "big"}, "`scale` must be a number"),
        ({"score": "motion", "label": 3}, "`label` must be a name"),
        ({"name": "motion"}, "`scores` must hold names"),
        (3, "`scores` must hold names"),
    ],
)
def test_wrong_settings_are_named(entry, named):
    with pytest.raises(ValueError, match=named):
        choose(entry)


def test_labels_and_variants_are_names_in_reports():
    kid = choose({"score": "fid", "form": "kernel", "resize": "avsync"})
    assert (kid.name, kid.title, kid.needs) == ("kid", "KID, 229 pixels", ("inception",))
    mine = choose({"score": "av_align", "rule": "javis", "label": "mine", "scale": 100})
    assert (mine.name, mine.title, mine.scale, mine.settings["rule"]) == ("mine", "mine", 100.0, "javis")
    assert choose(mine) is mine and choose(Score(name="own", of_clip=len)).settings["score"] == "own"
