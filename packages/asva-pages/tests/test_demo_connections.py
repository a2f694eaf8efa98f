"""The page at a real socket: half-open requests end, and an upload that is refused is answered, never reset."""

import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from asva_pages import Limits, Settings, connections
from asva_pages.demo.app import make_app
from asva_pipelines import resolve_model

WAV = b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(3000)
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


class Idle:
    """A worker that does nothing."""

    busy = False

    def __init__(self, *given):
        pass

    async def do(self, *given, **named):
        return {}

    def close(self):
        pass


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr("asva_pages.demo.server.Worker", Idle)
    monkeypatch.setattr(connections, "HEADERS", 2.0)
    app = make_app(Settings(model="tiny", folder=resolve_model("tiny"), limits=Limits(upload=3_000_000)))
    config = uvicorn.Config(app, http=connections.TimedProtocol, ws="none", log_level="error", server_header=False)
    server, listening = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def closed(line):
    """Whether the other side has closed it, within the time-out."""
    with contextlib.suppress(ConnectionError):
        return line.recv(1) == b""
    return True


def test_half_open_requests_are_closed_and_others_are_answered(port):
    lines = [connect(port) for _ in range(600)]
    try:
        for line in lines:
            with contextlib.suppress(ConnectionError):
                line.sendall(HALF)
        until = time.monotonic() + 20
        while sum(connections.TimedProtocol.waiting.values()) > connections.HALF_OPEN and time.monotonic() < until:
            time.sleep(0.05)
        assert sum(connections.TimedProtocol.waiting.values()) <= connections.HALF_OPEN
        assert all(closed(line) for line in lines)
    finally:
        for line in lines:
            line.close()
    with connect(port) as line:
        line.sendall(HALF + b"\r\n")
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
        line.sendall(HALF)  # a second one that stays half open
        while line.recv(65536):
            pass
    assert not any(connections.TimedProtocol.waiting.values())


def page_cookie(port):
    with connect(port) as line:
        line.sendall(HALF + b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    return answer.split(b"set-cookie: ")[1].split(b";")[0]


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "chunked"])
def test_an_upload_over_the_limit_is_always_answered(port, stated):
    cookie, size = page_cookie(port), 6_000_000
    for _ in range(10):
        with connect(port) as line:
            head = b"PUT /api/uploads/sound?name=a.wav HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
            told = b"Content-Length: %d" % size if stated else b"Transfer-Encoding: chunked"
            line.sendall(head + b"Cookie: " + cookie + b"\r\n" + told + b"\r\n\r\n")
            body = WAV + bytes(size - len(WAV))
            line.sendall(body if stated else b"%x\r\n%s\r\n0\r\n\r\n" % (size, body))
            answer = b"".join(iter(lambda line=line: line.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 413") and b"at most 3 MB" in answer
