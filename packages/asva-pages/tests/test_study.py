"""What a study shows to whom, that nothing tells which system is which, and what comes of the answers."""

import csv
import json
from collections import Counter

import numpy as np
import pytest

from asva_data import MediaError, read_video, write_video

testclient = pytest.importorskip("starlette.testclient", reason="needs starlette and httpx2")

from asva_pages import Raters, begin_study, make_study_app, open_study, write_study_results  # noqa: E402


@pytest.fixture
def folder(tmp_path, rated_systems):
    begin_study(tmp_path / "study", rated_systems, trials=4, checks=2, seed=5)
    return tmp_path / "study"


@pytest.fixture
def raters(folder):
    return Raters(folder)


@pytest.fixture
def client(raters):
    app = make_study_app(raters, "secret", ("127.0.0.1",))
    return testclient.TestClient(app, base_url="http://127.0.0.1:1")


def answer(raters, rater, prefer, *, attentive=True, stop=None):
    """Answers of somebody who prefers by a rank of systems."""
    raters.enter(rater)
    for place, trial in enumerate(raters.answers(rater)[0][:stop]):
        if trial.spoilt:
            side = {"left": "right", "right": "left"}[trial.spoilt] if attentive else trial.spoilt
        else:
            side = "left" if prefer.index(trial.left) < prefer.index(trial.right) else "right"
        raters.save(rater, {"trial": place, "answers": dict.fromkeys(raters.study.questions, side)})


def test_raters_share_all_comparisons_evenly_in_orders_of_their_own(folder):
    study = open_study(folder)
    plans = [study.plan(number) for number in range(30)]
    assert plans[7] == open_study(folder).plan(7)
    counts = Counter((t.clip, *sorted((t.left, t.right))) for plan in plans for t in plan if not t.spoilt)
    assert len(counts) == 6 and set(counts.values()) == {20}
    sides = Counter(t.left < t.right for plan in plans for t in plan if not t.spoilt)
    assert min(sides.values()) > 40  # of 120; fewer has a chance of 1 in 5000
    assert all(sum(bool(t.spoilt) for t in plan) == 2 and len(plan) == 6 for plan in plans)
    assert len({tuple(plan) for plan in plans}) == 30


def test_nothing_that_a_rater_is_sent_names_a_system(client, rated_systems):
    sent = client.post("/secret/raters", json={"rater": "ann"}).text
    assert not any(word in sent for word in (*rated_systems, "bell", "drum", "spoilt", "mp4"))
    keys = {trial[side] for trial in json.loads(sent)["trials"] for side in ("left", "right")}
    heads = client.get(f"/secret/videos/{min(keys)}").headers
    assert heads["content-type"] == "video/mp4" and "dark" not in str(heads) and len(min(keys)) == 24


def test_a_spoilt_video_is_worse_in_everything(raters):
    study = raters.study
    good, bad = (read_video(raters.video(study.key("bell", "grey", spoilt=s))) for s in (False, True))
    source = read_video(study.videos["bell"]["grey"])
    assert np.abs(good.frames.astype(float) - source.frames).mean() < 2 and len(bad.frames) == len(good.frames)
    assert np.abs(bad.frames.astype(float) - source.frames).mean() > 20
    assert raters.video(study.key("bell", "grey", spoilt=True)).stat().st_size > 0


def test_an_answer_is_kept_and_the_same_name_goes_on(client, folder, raters):
    assert client.get("/secret/raters/ann").status_code == 404
    client.post("/secret/raters", json={"rater": "ann"})
    given = {"quality": "left", "consistency": "same", "synchronization": "right"}
    assert client.post("/secret/raters/ann/answers", json={"trial": 2, "answers": given}).status_code == 200
    client.post("/secret/raters", json={"rater": "ben"})
    again = Raters(folder)
    assert again.enter("ann")["trials"][2]["answers"] == given and again.enter("ann")["trials"][1]["answers"] is None
    assert again.answers("ben")[0] != again.answers("ann")[0]
    assert client.post("/secret/raters/ann/answers", json={"trial": 2, "answers": {}}).status_code == 200
    assert client.get("/secret/raters/ann").json()["trials"][2]["answers"] == {}  # they did not play


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"trial": 6, "answers": {}},
        {"trial": -1, "answers": {}},
        {"trial": True, "answers": {}},
        {"trial": 0},
        {"trial": 0, "answers": ["left"]},
        {"trial": 0, "answers": {"quality": "left"}},
        {"trial": 0, "answers": {"quality": "up", "consistency": "left", "synchronization": "left"}},
        {"trial": 0, "answers": {"quality": ["left"], "consistency": "left", "synchronization": "left"}},
    ],
)
def test_what_is_no_answer_is_refused(asked, client, folder):
    client.post("/secret/raters", json={"rater": "ann"})
    assert client.post("/secret/raters/ann/answers", json=asked).status_code == 422
    assert len((folder / "answers" / "ann.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_who_lacks_the_secret_or_a_name_gets_nothing(client):
    for path in ("/", "/raters/ann", "/secret/videos/none", "/secret/study.json", "/secret/..%2fstudy.json", "/other/"):
        assert client.get(path).status_code == 404
    for name in ("", "../ann", "a b", "a" * 65, ".ann"):
        assert client.post("/secret/raters", json={"rater": name}).status_code == 422
    assert client.post("/secret/raters", content=b"x" * 20_000).status_code == 413
    assert client.post("/secret/raters/..%2fstudy/answers", json={"trial": 0, "answers": {}}).status_code == 404


def test_results_rank_the_systems_and_leave_out_who_was_not_there(folder, raters):
    for rater in ("ann", "ben", "cem"):
        answer(raters, rater, ["bright", "grey", "dark"])
    answer(raters, "dan", ["dark", "grey", "bright"], attentive=False)
    answer(raters, "eve", ["bright", "grey", "dark"], stop=1)
    found = write_study_results(folder)
    people = {one["rater"]: one for one in found["raters"]}
    assert people["ann"] == {
        "rater": "ann", "answered": 6, "unplayable": 0, "asked": 6, "checks": 2, "passed": 2, "counts": True,
    }  # fmt: skip
    assert not people["dan"]["counts"] and people["eve"]["answered"] == 1
    for one in found["questions"].values():
        strengths = {name: told["strength"]["value"] for name, told in one["systems"].items()}
        assert strengths["bright"] > strengths["grey"] > strengths["dark"]
        assert one["systems"]["bright"]["win_rate"]["value"] == 1 and one["votes"] in (12, 13)
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * (4 * 6 + 1) and {row["rater"] for row in rows} == {"ann", "ben", "cem", "dan", "eve"}
    assert json.loads((folder / "results.json").read_text(encoding="utf-8")) == found


def test_ratings_are_what_asva_validate_reads(folder, raters):
    ratings = pytest.importorskip("asva_eval.ratings", reason="asva-eval is no dependency")
    answer(raters, "ann", ["bright", "grey", "dark"])
    write_study_results(folder)
    found = ratings.read_ratings(folder / "ratings-synchronization.csv")
    assert (
        len(found) == 8 and {one.rater for one in found} == {"ann"} and {one.clip for one in found} <= {"bell", "drum"}
    )
    assert all(one.value == 1 for one in found if one.system == "bright")


def test_a_study_without_answers_has_results(folder):
    found = write_study_results(folder)
    assert found["raters"] == [] and all(one["votes"] == 0 for one in found["questions"].values())


def test_what_cannot_be_compared_is_refused(tmp_path, rated_systems, folder):
    with pytest.raises(MediaError, match="hold no study yet"):
        begin_study(folder, rated_systems)
    with pytest.raises(MediaError, match="must hold a study"):
        open_study(tmp_path)
    one = {"dark": rated_systems["dark"]}
    with pytest.raises(MediaError, match="videos of the same names"):
        begin_study(tmp_path / "new", one)
    with pytest.raises(MediaError, match="between 1 and 6"):
        begin_study(tmp_path / "new", rated_systems, trials=7)
    with pytest.raises(MediaError, match="'a b'"):
        begin_study(tmp_path / "new", rated_systems, questions={"a b": "Which?"})
    write_video(rated_systems["dark"] / "bell.mp4", np.zeros((4, 16, 16, 3), np.uint8), fps=4)
    with pytest.raises(MediaError, match="with sound"):
        begin_study(tmp_path / "new", rated_systems, trials=1)
    assert not (tmp_path / "new").exists()
