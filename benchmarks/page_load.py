"""The demo page under load on this machine: latencies, memory, and whether anybody sees what is another's.

    python benchmarks/page_load.py --sessions 200 --seconds 600

Each session is a browser of its own: it looks at its state, uploads the example's sound and picture under a name of
its own, now and then asks for a video, and tries to fetch an upload of somebody else. Every tenth sends its uploads in
drops; every tenth sends damaged files; every 20 s a process that reads or makes is killed.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import numpy as np
import psutil
from results import table

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = {"sound": (EXAMPLES / "frog.wav").read_bytes(), "picture": (EXAMPLES / "frog.png").read_bytes()}
ENDS = {"sound": "wav", "picture": "png"}


class Load:
    """What all sessions saw together.

    Attributes:
        seconds: Seconds of each answer by its kind.
        answers: How often each status was given.
        leaks: Times that something of somebody else was seen.
        ids: An upload of each session.
        videos: Videos that were done.
    """

    def __init__(self, address: str, until: float) -> None:
        self.address, self.until = address, until
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.answers: Counter = Counter()
        self.leaks, self.videos = 0, set()
        self.ids: dict[int, str] = {}

    async def ask(self, browser: httpx.AsyncClient, kind: str, method: str, path: str, **more) -> httpx.Response | None:
        """One request, its time and its status; None if the line broke."""
        began = time.monotonic()
        try:
            answer = await browser.request(method, path, **more)
        except httpx.TransportError as error:
            self.answers[f"{kind}: {type(error).__name__}"] += 1
            return None
        self.seconds[kind].append(time.monotonic() - began)
        self.answers[f"{kind}: {answer.status_code}"] += 1
        return answer

    async def session(self, number: int) -> None:
        """One browser until the time is over."""
        draw, headers = random.Random(number), {"Origin": self.address}
        limits = httpx.Timeout(120.0)
        async with httpx.AsyncClient(
            base_url=self.address, headers=headers, timeout=limits, trust_env=False
        ) as browser:
            await asyncio.sleep(draw.uniform(0, 20))
            await self.ask(browser, "page", "GET", "/")
            while time.monotonic() < self.until:
                await self.upload(browser, number, draw)
                for _ in range(draw.randint(3, 8)):
                    await asyncio.sleep(draw.uniform(1, 6))
                    await self.look(browser, number)
                await self.trespass(browser, number, draw)

    async def upload(self, browser: httpx.AsyncClient, number: int, draw: random.Random) -> None:
        """A sound and a picture, whole, in drops or damaged; of whole ones now and then a video."""
        found = {}
        for kind, content in FILES.items():
            data = bytearray(content)
            if number % 10 == 1:
                for _ in range(20):
                    data[draw.randrange(len(data))] = draw.randrange(256)
            body = drops(bytes(data)) if number % 10 == 0 else bytes(data)
            kind_of = "slow upload" if number % 10 == 0 else "upload"
            name = {"name": f"of-{number}.{ENDS[kind]}"}
            answer = await self.ask(browser, kind_of, "PUT", f"/api/uploads/{kind}", params=name, content=body)
            if answer is not None and answer.status_code == 200:
                found[kind] = self.ids[number] = answer.json()["id"]
        if len(found) == 2 and draw.random() < 0.1:
            await self.ask(browser, "order", "POST", "/api/jobs", json=found)

    async def look(self, browser: httpx.AsyncClient, number: int) -> None:
        """The own state, in which nothing else may be."""
        answer = await self.ask(browser, "state", "GET", "/api/state")
        if answer is not None and answer.status_code == 200:
            state = answer.json()
            self.leaks += sum(f"of-{number}." not in one["name"] for one in state["uploads"])
            self.videos |= {(number, job["id"]) for job in state["jobs"] if job["state"] == "done"}

    async def trespass(self, browser: httpx.AsyncClient, number: int, draw: random.Random) -> None:
        """An upload of another browser, which is not there for this one."""
        others = [one for owner, one in self.ids.items() if owner != number]
        if others:
            answer = await self.ask(browser, "another's", "GET", f"/api/uploads/{draw.choice(others)}/original")
            self.leaks += answer is not None and answer.status_code != 404


async def drops(data: bytes):
    """The same bytes over three seconds."""
    step = len(data) // 30 + 1
    for place in range(0, len(data), step):
        yield data[place : place + step]
        await asyncio.sleep(0.1)


async def kill_now_and_then(server: psutil.Process, until: float, memory: list[float]) -> None:
    """End one of the server's processes every 20 s, and note what the server itself holds."""
    draw = random.Random(0)
    while time.monotonic() < until:
        await asyncio.sleep(20)
        memory.append(server.memory_info().rss / 1e6)
        workers = [one for one in server.children() if "spawn_main" in " ".join(one.cmdline())]
        if workers:
            os.kill(draw.choice(workers).pid, signal.SIGKILL)


async def run(address: str, server: psutil.Process, sessions: int, seconds: float) -> tuple[Load, list[float]]:
    """All sessions side by side."""
    load, memory = Load(address, time.monotonic() + seconds), []
    others = [load.session(number) for number in range(sessions)]
    await asyncio.gather(kill_now_and_then(server, load.until, memory), *others)
    return load, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    command = [sys.executable, "-m", "asva", "demo", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        address = json.loads(process.stdout.readline())["address"]
        load, memory = asyncio.run(run(address, psutil.Process(process.pid), options.sessions, options.seconds))
        process.send_signal(signal.SIGINT)
        process.wait(60)
    rows = [("request", "answers", "median, s", "95 %, s", "99 %, s", "most, s")]
    for kind, seconds in sorted(load.seconds.items()):
        figures = [*np.quantile(seconds, (0.5, 0.95, 0.99)), max(seconds)]
        rows.append((kind, f"{len(seconds):,}", *(f"{value:.2f}" for value in figures)))
    print(table("page_load/latency", rows))
    broken = sum(count for name, count in load.answers.items() if not name.split(": ")[1].isdigit())
    wrong = sum(count for name, count in load.answers.items() if name.split(": ")[1].startswith("5"))
    facts = [
        ("what", "figure"),
        ("seen of somebody else", str(load.leaks)),
        ("answers of 500 and above; broken lines", f"{wrong}; {broken}"),
        ("videos made", str(len(load.videos))),
        (
            "memory of the server, MB: after a minute, at the end, most",
            f"{memory[2]:.0f}, {memory[-1]:.0f}, {max(memory):.0f}",
        ),
    ]
    print(table("page_load/facts", facts))
    print(dict(load.answers))


if __name__ == "__main__":
    main()
