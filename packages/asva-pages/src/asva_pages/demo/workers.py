"""Processes that do the work, seen from the server: one task at a time each, started again when one dies."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from asva_pages.demo.settings import Settings
from asva_pages.demo.work import serve

PATIENCE = 5.0  # seconds that a process gets to end


class Unable(Exception):
    """A task could not be done; the words are for the user."""


class Stopped(Exception):
    """A task was cancelled."""


@contextmanager
def _deaf_to_ctrl_c() -> Generator[None]:
    """What is started inside does not hear Ctrl-C, which is for the server, before it can say so itself."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # whose start would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker:
    """A process; it lives from the first task on, and a new one takes its place when it dies.

    Args:
        settings: Of the server.
        home: Folder of all files.
        seconds: That a task may take, and with it bounds on memory and pixels; None for those that take their time.
    """

    def __init__(self, settings: Settings, home: Path, seconds: float | None = None) -> None:
        self._settings, self._home, self._seconds = settings, home, seconds
        self._context = multiprocessing.get_context("spawn")  # threads of the server are not to be copied
        self._unwanted = self._context.RawValue("q", -1)  # without a lock, which a process that dies could hold
        self._number = 0
        self._thread = ThreadPoolExecutor(1)
        self._turn = asyncio.Lock()
        self._process: Any = None
        self._connection: Any = None

    async def do(self, task: str, told: Callable[[dict[str, Any]], None] | None = None, **arguments: Any) -> Any:
        """Do a task of :class:`asva_pages.demo.work.Work`.

        Args:
            task: Its name.
            told: Takes what it tells on the way.
            arguments: Of the task.

        Raises:
            Unable: If it cannot be done, or the process died of it.
            Stopped: If it was cancelled.
        """
        async with self._turn:
            self._number += 1
            try:
                async with asyncio.timeout(self._seconds):
                    await self._in_thread(self._send, task, arguments)
                    while True:
                        kind, value = await self._in_thread(self._connection.recv)
                        if kind != "told":
                            break
                        if told is not None:
                            told(value)
            except TimeoutError:
                self._process.kill()
                await self._in_thread(self._let_go)
                raise Unable(f"The file took more than {self._seconds:g} s to be read: take a shorter one.") from None
            except (EOFError, OSError):
                await self._in_thread(self._let_go)
                raise Unable("The server's worker died of it, out of memory perhaps: take a shorter sound.") from None
        if kind == "cancelled":
            raise Stopped
        if kind != "done":
            raise Unable(value)
        return value

    def cancel(self) -> None:
        """Let the task in work stop after its step."""
        self._unwanted.value = self._number

    @property
    def busy(self) -> bool:
        """Whether a task is in work."""
        return self._turn.locked()

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process; the thread that listens to it hears so and ends too."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(PATIENCE)
        self._thread.shutdown(wait=False)

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _send(self, task: str, arguments: dict[str, Any]) -> None:
        if self._process is None or not self._process.is_alive():
            self._start()
        self._connection.send((self._number, task, arguments))

    def _start(self) -> None:
        self._let_go()
        self._connection, theirs = self._context.Pipe()
        arguments = (theirs, self._unwanted, self._settings, self._home, self._seconds is not None)
        self._process = self._context.Process(target=serve, args=arguments, daemon=True, name="asva-demo-worker")
        with _deaf_to_ctrl_c():
            self._process.start()
        theirs.close()

    def _let_go(self) -> None:
        if self._process is None:
            return
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(PATIENCE)
        self._connection.close()
        self._process = None
