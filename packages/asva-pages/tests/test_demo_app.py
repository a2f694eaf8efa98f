"""The page's server without its workers: who sees what, what is refused, and that nothing refused is stored."""

import asyncio
import dataclasses
import json
import time
from pathlib import Path

import pytest
from starlette import testclient

from asva_pages import Limits, Settings
from asva_pages.demo.app import make_app
from asva_pages.demo.workers import Stopped, Unable
from asva_pipelines import resolve_model

HOME = "http://127.0.0.1:7860"
WAV = b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(3000)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(3000)
SOUND = {"seconds": 2.0, "waveform": [0.5], "curve": [0.0] * 48, "fps": 24, "keyframes": [0.0], "most": 12, "window": 2}


class Hand:
    """A worker that does what the test lets it do."""

    busy = False

    def __init__(self, settings, home, seconds=None):
        self.settings, self.home, self.unwanted, self.go, self.fails = settings, home, False, asyncio.Event(), ""

    async def do(self, task, told=None, **arguments):
        if task in ("warm", "examples"):
            for name in ("frog", "drums", "hammer") if task == "examples" else ():
                Path(arguments["folder"], f"{name}.png").write_bytes(PNG)
                Path(arguments["folder"], f"{name}.wav").write_bytes(WAV)
            return {}
        if task in ("listen", "look", "look_at_mask"):
            if b"broken" in Path(arguments["path"]).read_bytes():
                raise Unable("The sound is broken.")
            Path(arguments["preview"]).write_bytes(b"small")
            return SOUND if task == "listen" else {"height": 4, "width": 5, "moved": True}
        told({"stage": "keyframes", "fraction": 0.5, "left": 3.0})
        while not self.go.is_set():
            if self.unwanted:
                self.unwanted = False
                raise Stopped
            await asyncio.sleep(0.005)
        if self.fails:
            raise Unable(self.fails)
        Path(arguments["video"]).write_bytes(b"video")
        Path(arguments["video"]).with_suffix(".json").write_text("{}", encoding="utf-8")
        return {"frames": 48, "height": 64, "width": 64}

    def cancel(self):
        self.unwanted = True

    def close(self):
        pass


@pytest.fixture
def serve(monkeypatch):
    """``serve(**limits)``: a client with a session of its own, and the server behind it."""
    monkeypatch.setattr("asva_pages.demo.server.Worker", Hand)
    opened = []

    def start(**limits):
        app = make_app(Settings(model="tiny", folder=resolve_model("tiny"), limits=Limits(**limits)))
        client = testclient.TestClient(app, base_url=HOME, headers={"Origin": HOME})
        opened.append(client.__enter__())
        client.get("/")
        client.server = app.state.server
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


def other(client):
    """Somebody else at the same server."""
    another = testclient.TestClient(client.app, base_url=HOME, headers={"Origin": HOME})
    another.portal = client.portal
    another.get("/")
    return another


def send(client, kind="sound", content=None, name=None, **more):
    name = {"sound": "a.wav", "picture": "a.png"}[kind] if name is None else name
    content = {"sound": WAV, "picture": PNG}[kind] if content is None else content
    return client.put(f"/api/uploads/{kind}", params={"name": name}, content=content, **more)


def order(client, **wish):
    given = {kind: send(client, kind).json()["id"] for kind in ("sound", "picture")}
    return client.post("/api/jobs", json=given | wish)


def stored(client):
    """Files of all users."""
    return [path for path in client.server.home.rglob("*") if path.is_file() and path.parent.name != "examples"]


def until(client, state, number=-1):
    for _ in range(1000):
        jobs = client.get("/api/state").json()["jobs"]
        if jobs and jobs[number]["state"] == state:
            return jobs[number]
        time.sleep(0.01)
    raise AssertionError(f"{jobs} never {state}")


def test_the_page_asks_for_nothing_from_elsewhere_and_its_cookie_is_its_own(serve):
    client = serve()
    answer = testclient.TestClient(client.app, base_url=HOME).get("/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert len(cookie.split("=")[1].split(";")[0]) >= 40
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert "http" not in answer.text.replace("http-equiv", "")
    for name in ("demo.css", "demo.js", "api.js", "timeline.js", "results.js", "recorder.js", "brush.js"):
        text = client.get(f"/static/{name}").text.replace("http://www.w3.org/2000/svg", "")
        assert text and "http:" not in text and "https:" not in text
    assert client.get("/static/index.html.jinja").status_code == 404
    assert client.get("/static/%2e%2e%2fapp.py").status_code == 404


def test_everyone_sees_his_own_only(serve):
    client = serve()
    client.server.makers[0].go.set()
    order(client)
    job = until(client, "done")
    stranger, upload = other(client), client.get("/api/state").json()["uploads"][0]["id"]
    paths = [f"/api/uploads/{upload}/preview", f"/api/uploads/{upload}/original", f"/api/jobs/{job['id']}/video"]
    assert [client.get(path).status_code for path in paths] == [200] * 3
    assert [stranger.get(path).status_code for path in paths] == [404] * 3
    assert stranger.get("/api/state").json() == {"uploads": [], "jobs": []}
    assert stranger.post(f"/api/jobs/{job['id']}/cancel").status_code == 404
    assert stranger.delete(f"/api/jobs/{job['id']}").status_code == 404
    mine = {kind: send(stranger, kind).json()["id"] for kind in ("sound", "picture")}
    assert stranger.post("/api/jobs", json=mine | {"sound": upload}).status_code == 422
    nobody = testclient.TestClient(client.app, base_url=HOME, cookies={client.server.cookie: "guess"})
    assert nobody.get("/api/state").status_code == 401


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1", "http://[broken"])
def test_other_sites_change_nothing(serve, origin):
    client = serve()
    client.headers.pop("Origin")
    headers = {} if origin is None else {"Origin": origin}
    assert send(client, headers=headers).status_code == 403
    assert client.post("/api/examples/frog", headers=headers).status_code == 403
    assert stored(client) == []


def test_other_names_of_the_machine_are_not_answered(serve):
    assert serve().get("/", headers={"Host": "rebound.example"}).status_code == 403


@pytest.mark.parametrize(
    "name",
    ["../a.wav", "/etc/a.wav", "a/b.wav", "..\\a.wav", "C:a.wav", "..", ".hidden", "-o.wav", "a\x00.wav", "a\n.wav", "",
     "~", "a" * 300, "a ", "\u202egpj.wav"],
)  # fmt: skip
def test_a_path_in_a_file_name_is_refused(serve, name):
    client = serve()
    answer = send(client, name=name)
    assert answer.status_code == 400 and "name of the file must" in answer.json()["error"]
    assert stored(client) == []


def test_names_that_are_only_names_are_taken_and_come_back(serve):
    client = serve()
    for name in ("Ölwechsel (2) & mehr's.wav", "trommel 鼓.wav", "preview.wav", "a;rm -rf.wav"):
        answer = send(client, name=name).json()
        assert answer["name"] == name
        assert client.get(f"/api/uploads/{answer['id']}/preview").content == b"small"
        original = client.get(f"/api/uploads/{answer['id']}/original")
        assert original.content == WAV and original.headers["content-disposition"].startswith("attachment")


def stream(client, chunk, count):
    """Send a chunk again and again, as a network would; returns the status and how many were asked for."""
    asked, told = [], []
    cookie = f"{client.server.cookie}={client.cookies[client.server.cookie]}"
    headers = {"host": "127.0.0.1:7860", "origin": HOME, "cookie": cookie, "transfer-encoding": "chunked"}

    async def receive():
        asked.append(len(chunk))
        return {"type": "http.request", "body": chunk, "more_body": len(asked) < count}

    async def answer(message):
        told.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PUT", "scheme": "http"}
    scope |= {"path": "/api/uploads/sound", "raw_path": b"/api/uploads/sound", "query_string": b"name=a.wav"}
    scope |= {"root_path": "", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    client.portal.call(client.app, scope, receive, answer)
    return told[0]["status"], len(asked)


def test_what_is_too_large_is_refused_while_it_comes(serve):
    client = serve(upload=3_000_000)
    assert stream(client, WAV + bytes(1_000_000), 10_000) == (413, 9)  # of 10 GB; six are dropped
    assert stored(client) == []
    assert stream(client, bytes(1_000_000), 10_000) == (415, 7)
    answer = send(client, headers={"Content-Length": "10000000000"})
    assert answer.status_code == 413 and "at most 3 MB, got 10 GB" in answer.json()["error"]
    assert stored(client) == []


def test_what_is_no_sound_or_picture_is_refused(serve):
    client = serve()
    playlists = (b"#EXTM3U\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile ../other/song.wav\n")
    for content in (*playlists, b"", b"<svg onload=alert(1)>", b"MZ" + bytes(99), b"text"):
        assert send(client, content=content, name="fake.mp4").status_code == 415
        assert send(client, "picture", content, "fake.png").status_code == 415
    assert send(client, content=PNG).status_code == 415
    assert stored(client) == []


def test_what_cannot_be_read_is_refused_with_the_reason(serve):
    client = serve()
    answer = send(client, content=WAV + b"broken")
    assert (answer.status_code, answer.json()) == (422, {"error": "The sound is broken."})
    assert stored(client) == []


def test_only_the_last_uploads_are_kept(serve):
    client = serve(files=2)
    for number in range(5):
        send(client, name=f"{number}.wav")
    send(client, "picture")
    names = [upload["name"] for upload in client.get("/api/state").json()["uploads"]]
    assert names == ["3.wav", "4.wav", "a.png"]
    assert len(stored(client)) == 6


def test_a_video_is_made_saved_and_removed(serve):
    client = serve()
    job = order(client, seed=7, prompt="a wet dog's bark", keyframes=[0.5, 0.25], steps=3, guidance=2.5).json()
    assert job["command"] == (
        "asva sample --image a.png --audio a.wav --prompt 'a wet dog'\"'\"'s bark' --steps 3 --guidance 2.5 "
        "--keyframes 0.25,0.5 --seed 7 --output a-1.mp4"
    )
    assert until(client, "running")["left"] == 3.0
    assert client.get(f"/api/jobs/{job['id']}/video").status_code == 404
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 409
    client.server.makers[0].go.set()
    assert until(client, "done")["frames"] == 48
    answer = client.get(f"/api/jobs/{job['id']}/video?save", headers={"Range": "bytes=1-2"})
    assert (answer.status_code, answer.content) == (206, b"id")
    assert answer.headers["content-disposition"] == 'attachment; filename="a-1.mp4"'
    assert client.get(f"/api/jobs/{job['id']}/json").json() == {}
    assert client.get(f"/api/jobs/{job['id']}/log").status_code == 404
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 200
    assert client.get(f"/api/jobs/{job['id']}/video").status_code == 404
    assert not [path for path in stored(client) if path.suffix in (".mp4", ".json")]


def test_jobs_wait_in_order_and_stop_when_cancelled(serve):
    client = serve()
    stranger = other(client)
    first = order(client).json()
    until(client, "running")
    second, third = order(stranger).json(), order(client).json()
    assert (second["position"], third["position"]) == (0, 1)
    stranger.post(f"/api/jobs/{second['id']}/cancel")
    assert stranger.get("/api/state").json()["jobs"][0]["state"] == "cancelled"
    assert client.get("/api/state").json()["jobs"][1]["position"] == 0
    client.post(f"/api/jobs/{first['id']}/cancel")
    assert until(client, "cancelled", 0)["error"] == ""
    until(client, "running")
    client.server.makers[0].go.set()
    until(client, "done")


def test_a_job_that_fails_says_why_and_the_next_is_made(serve):
    client = serve()
    maker = client.server.makers[0]
    maker.fails = "The server's worker died of it."
    maker.go.set()
    order(client)
    assert until(client, "failed")["error"] == "The server's worker died of it."
    maker.fails = ""
    order(client)
    until(client, "done")


def test_nobody_fills_the_queue_alone(serve):
    client = serve(jobs=2)
    assert [order(client).status_code for _ in range(3)] == [201, 201, 429]
    crowded = serve(waiting=1)
    order(crowded)
    until(crowded, "running")
    assert [order(crowded).status_code for _ in range(2)] == [201, 503]


@pytest.mark.parametrize(
    "wish",
    [
        {"seed": -1}, {"seed": 1.5}, {"seed": True}, {"seed": 10**12}, {"steps": 0}, {"steps": 10**6}, {"steps": "3"},
        {"guidance": "NaN"}, {"guidance": -1}, {"guidance": [1]}, {"prompt": 5}, {"prompt": "a\nb"},
        {"prompt": "a" * 2000}, {"keyframes": []}, {"keyframes": [2.0]}, {"keyframes": [-0.1]}, {"keyframes": ["x"]},
        {"keyframes": [0.1] * 999}, {"sound": "x"}, {"picture": None},
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_are_refused(serve, wish):
    client = serve()
    answer = order(client, **wish)
    assert answer.status_code == 422 and " must " in answer.json()["error"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":' * 3000, "x" * 200_000])
def test_what_is_no_wish_is_refused(serve, text):
    assert serve().post("/api/jobs", content=text).status_code in (400, 413)


def test_an_infinite_number_is_refused(serve):
    client = serve()
    given = {kind: send(client, kind).json()["id"] for kind in ("sound", "picture")}
    text = json.dumps(given | {"keyframes": [float("nan")], "guidance": float("inf")})
    assert client.post("/api/jobs", content=text).status_code == 422


def test_files_of_those_who_are_gone_are_removed(serve):
    client = serve(keep=0.05)
    send(client)
    assert stored(client)
    for _ in range(100):
        time.sleep(0.02)
        if not stored(client):
            break
    assert stored(client) == []
    assert client.get("/api/state").status_code == 401
    client.get("/")
    assert client.get("/api/state").status_code == 200


def test_the_folder_goes_with_the_server(serve):
    client = serve()
    send(client)
    client.__exit__(None, None, None)
    assert not client.server.home.exists()
    client.__exit__ = lambda *_: None


def test_an_example_is_an_upload_like_others(serve):
    client = serve()
    taken = client.post("/api/examples/frog").json()
    assert [(one["kind"], one["name"]) for one in taken] == [("picture", "frog.png"), ("sound", "frog.wav")]
    assert client.get("/examples/frog.png").content == PNG
    assert client.post("/api/examples/..").status_code == 404


def test_another_address_needs_the_key(serve):
    client = serve()
    client.server.settings = dataclasses.replace(client.server.settings, key="secret")
    for query in ("", "?key=", "?key=Secret"):
        stranger = testclient.TestClient(client.app, base_url=HOME, headers={"Origin": HOME})
        stranger.portal = client.portal
        refused = stranger.get(f"/{query}")
        assert refused.status_code == 403 and "set-cookie" not in refused.headers
        assert stranger.get("/api/state").status_code == 401
    assert stranger.get("/?key=secret").status_code == 200
    assert stranger.get("/api/state").status_code == 200 and stranger.get("/").status_code == 200


def test_every_answer_carries_the_headers_and_one_strict_cookie(serve):
    """An audit: whatever is asked for, nothing may be framed, guessed, cached, or fetched from elsewhere."""
    client = serve()
    asked = [
        "/",
        "/static/page.js",
        "/static/none",
        "/examples/frog.png",
        "/api/state",
        "/api/uploads/x/preview",
        "/nowhere",
    ]
    for path in asked:
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and "frame-ancestors 'none'" in headers[POLICY], path
        assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
        assert (
            "unsafe" not in headers[POLICY] and "http" not in headers[POLICY] and "access-control" not in str(headers)
        )
        assert headers["cache-control"] in ("no-store", "no-cache") and "server" not in headers
    cookie = testclient.TestClient(client.app, base_url=HOME).get("/").headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "domain" not in cookie
    assert len(cookie.split("=")[1].split(";")[0]) >= 32


POLICY = "content-security-policy"


def test_readers_take_turns(serve):
    client = serve()
    first, second = client.server.readers
    first.busy, seen = True, []
    for reader in (first, second):
        reader.do = lambda *given, reader=reader, do=reader.do, **named: seen.append(reader) or do(*given, **named)
    assert send(client).status_code == 200
    first.busy = False
    assert send(client).status_code == 200
    assert seen == [second, first]


def test_what_is_painted_moves(serve):
    client = serve()
    painted = send(client, "mask", PNG, "region.png").json()["id"]
    job = order(client, mask=painted, keyframes=[0.5]).json()
    assert "--region region.png" in job["command"] and "--keyframes" not in job["command"]
    assert job["title"].startswith("your region")
    assert order(client, mask="gone").status_code == 422
