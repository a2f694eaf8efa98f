"""What the review answers: clips to whoever knows the secret, decisions that are checked, and nothing else."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from asva_curate import Decision, DecisionLog
from asva_data import MediaError, probe
from asva_pipelines.make.errors import RequestError

testclient = pytest.importorskip("starlette.testclient", reason="needs starlette and httpx2")

from asva_pages import Session, make_review_app, serve_review  # noqa: E402


@pytest.fixture
def session(curated):
    session = Session(curated.folder, "ann")
    yield session
    session.close()


@pytest.fixture
def client(session):
    return testclient.TestClient(make_review_app(session, "secret"), base_url="http://127.0.0.1:1")


def test_the_page_and_its_parts(client):
    for name, kind in (("", "text/html"), ("review.js", "text/javascript"), ("review.css", "text/css")):
        answer = client.get(f"/secret/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] in ("no-cache", "no-store")


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/state",
        "/other/state",
        "/secretly/state",
        "/secret/recipe.yaml",
        "/secret/../../etc/passwd",
        "/secret/%2e%2e/%2e%2e/etc/passwd",
        "/secret/clips/..%2f..%2freasons.csv",
        "/secret/clips/none",
        "/secret/curves/none",
        "/secret/clips/",
        "/s%C3%A9cret/",
    ],
)
def test_nothing_else_is_there(address, client):
    answer = client.get(address)
    assert answer.status_code == 404 and "path,label" not in answer.text


def test_another_name_of_this_machine_is_refused(session):
    other = testclient.TestClient(make_review_app(session, "secret"), base_url="http://evil.example:1")
    assert other.get("/secret/state").status_code == 404


def test_state_names_the_clips(client, curated):
    found = client.get("/secret/state").json()
    assert found["reviewer"] == "ann"
    assert [clip["key"] for clip in found["clips"]] == [key for key, _, _ in curated.clips]
    assert found["clips"][0] | {"decision": None, "start": 0.0, "end": 4.0, "label": "bell"} == found["clips"][0]


def test_a_copy_is_a_video_that_can_be_asked_for_in_parts(client, curated, tmp_path):
    address = f"/secret/clips/{curated.clips[0][0]}"
    whole = client.get(address)
    assert whole.headers["content-type"] == "video/mp4"
    (tmp_path / "a.mp4").write_bytes(whole.content)
    assert probe(tmp_path / "a.mp4").duration == pytest.approx(4.0, abs=0.05)
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole.content[10:20]


def test_a_file_that_is_gone_is_said(client, curated, session):
    key = curated.clips[0][0]
    session.clips[key] = (0, "gone.mp4", "", curated.clips[0][2])
    answer = client.get(f"/secret/clips/{key}")
    assert answer.status_code == 415 and "existing file" in answer.json()["error"]


def test_curves_lie_within_the_clip(client, curated):
    found = client.get(f"/secret/curves/{curated.clips[1][0]}").json()
    assert set(found) == {"level", "pixel"}
    assert all(0 <= time <= 4.0 for points in found.values() for time, _ in points)
    assert len(found["level"]) == 80 and len(found["pixel"]) == 47


def test_a_decision_is_on_the_disk_when_it_is_answered(client, curated):
    key = curated.clips[0][0]
    answer = client.post("/secret/decisions", json={"key": key, "kind": "keep", "start": 0.5, "end": 3.5})
    assert answer.json() == {"decision": {"kind": "keep", "start": 0.5, "end": 3.5}}
    assert DecisionLog(curated.folder, "ann").decisions == {key: Decision("keep", 0.5, 3.5)}
    assert client.get("/secret/state").json()["clips"][0]["decision"]["start"] == 0.5
    assert client.post("/secret/decisions", json={"key": key, "kind": "open"}).json() == {"decision": None}
    assert DecisionLog(curated.folder, "ann").decisions == {}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        [],
        "keep",
        {"key": "none", "kind": "keep"},
        {"key": ["a"], "kind": "keep"},
        {"kind": "maybe"},
        {"kind": ["keep"]},
        {"kind": "keep", "start": -1.0},
        {"kind": "keep", "end": 5.0},
        {"kind": "keep", "start": 3.0, "end": 2.0},
        {"kind": "keep", "start": 3.0, "end": 3.05},
        {"kind": "keep", "start": "0"},
        {"kind": "keep", "start": True},
    ],
)
def test_what_is_no_decision_is_refused(asked, client, curated):
    if isinstance(asked, dict):
        asked = {"key": curated.clips[0][0], **asked}
        asked = asked if len(asked) > 1 else {}
    assert client.post("/secret/decisions", json=asked).status_code == (422 if isinstance(asked, dict) else 400)
    assert not (curated.folder / "review").exists()


def test_no_json_and_too_much_of_it(client):
    assert client.post("/secret/decisions", content=b"\xff{").status_code == 400
    assert client.post("/secret/decisions", content=b'{"start": NaN, "kind": "keep"}').status_code == 422
    assert client.post("/secret/decisions", content=b" " * 5000).status_code == 413
    assert client.get("/secret/decisions").status_code in (404, 405)
    assert client.post("/decisions", json={}).status_code == 404


def test_a_full_disk_is_said_and_nothing_is_believed(client, curated, session, monkeypatch):
    def full(key, decision):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session.log, "save", full)
    answer = client.post("/secret/decisions", json={"key": curated.clips[0][0], "kind": "keep"})
    assert answer.status_code == 507 and "No space left" in answer.json()["error"]


def test_only_disputed_clips(curated):
    second = curated.clips[1][0]
    for name, kind in (("ann", "keep"), ("ben", "drop")):
        DecisionLog(curated.folder, name).save(second, Decision(kind, 0.0, 4.0))
    third = Session(curated.folder, "cem", only_disputed=True)
    assert list(third.clips) == [second]
    third.close()
    with pytest.raises(MediaError, match="reviewers disagree"):
        Session(curated.folder, "ben", only_disputed=True)


def test_few_copies_are_held(curated, session, monkeypatch):
    monkeypatch.setattr(session._copies, "most", 1)
    first, second = (session.copy(key) for key, _, _ in curated.clips)
    assert not first.exists() and second.exists()
    assert session.copy(curated.clips[0][0]).exists()


def test_closing_writes_the_table_and_takes_copies_away(curated):
    session = Session(curated.folder, "ann")
    key = curated.clips[0][0]
    home = session.copy(key).parent
    session.save({"key": key, "kind": "keep"})
    session.close()
    assert not home.exists()
    assert len((curated.folder / "reviewed.csv").read_text(encoding="utf-8").splitlines()) == 2


def test_a_taken_port_is_said(session):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RequestError, match="`--port` must be free"):
            serve_review(session, port=taken.getsockname()[1])


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_interruption_ends_it_with_everything_saved(curated):
    key = curated.clips[0][0]
    code = (
        "import sys; from asva_pages import Session, serve_review; session = Session(sys.argv[1], 'ann')\n"
        "serve_review(session, on_ready=lambda address: print(address, flush=True)); session.close(); print('closed')"
    )
    words = [sys.executable, "-c", code, str(curated.folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        body = json.dumps({"key": key, "kind": "keep", "end": 3.0}).encode()
        with urllib.request.urlopen(f"{address}decisions", data=body, timeout=120) as answer:
            assert json.load(answer)["decision"]["end"] == 3.0
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=120)[0] == "closed\n"
    assert process.returncode == 0
    assert ",0.000,3.000,bell," in (curated.folder / "reviewed.csv").read_text(encoding="utf-8")


def test_it_listens_on_this_machine_alone(session):
    address, stopped = [], threading.Event()

    def run():
        serve_review(session, on_ready=address.append)
        stopped.set()

    threading.Thread(target=run, daemon=True).start()
    while not address:
        time.sleep(0.01)
    assert address[0].startswith("http://127.0.0.1:")
    with urllib.request.urlopen(address[0] + "state", timeout=60) as answer:
        assert json.load(answer)["reviewer"] == "ann"
