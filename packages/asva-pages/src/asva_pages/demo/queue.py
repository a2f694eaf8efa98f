"""The queue of videos: first come, first served, by as many workers as there are."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import Any

from asva_pages.demo.sessions import CANCELLED, DONE, FAILED, RUNNING, Job
from asva_pages.demo.settings import Limits
from asva_pages.demo.workers import Stopped, Unable, Worker
from asva_pages.requests import Refused

logger = logging.getLogger(__name__)


class Queue:
    """Jobs that wait, and workers that take them.

    Args:
        workers: That make videos.
        limits: How many may wait.
    """

    def __init__(self, workers: list[Worker], limits: Limits) -> None:
        self._workers, self._limits = workers, limits
        self._waiting: list[Job] = []
        self._running: dict[str, Worker] = {}
        self._news = asyncio.Condition()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(self._serve(worker))

    async def add(self, job: Job) -> None:
        """Let a job wait for its turn.

        Raises:
            Refused: If too many wait.
        """
        if len(self._waiting) >= self._limits.waiting:
            raise Refused(503, "Too many videos are waiting: try again later.")
        async with self._news:
            self._waiting.append(job)
            self._news.notify()

    def position(self, job: Job) -> int | None:
        """How many come before it; None if it does not wait."""
        return self._waiting.index(job) if job in self._waiting else None

    def cancel(self, job: Job) -> None:
        """Stop it, now or after its step."""
        if job in self._waiting:
            self._waiting.remove(job)
            _end(job, CANCELLED)
        elif job.id in self._running:
            job.progress = job.progress | {"stage": "cancelling", "left": None}
            self._running[job.id].cancel()

    async def _serve(self, worker: Worker) -> None:
        try:
            await worker.do("warm")
        except Unable:  # every job will say why
            pass
        while True:
            async with self._news:
                await self._news.wait_for(lambda: self._waiting)
                job = self._waiting.pop(0)
                job.state, self._running[job.id] = RUNNING, worker
            try:
                await self._make(worker, job)
            finally:
                del self._running[job.id]

    async def _make(self, worker: Worker, job: Job) -> None:
        def told(progress: dict[str, Any]) -> None:
            job.progress = progress

        try:
            job.told = await worker.do("make", told, request=dict(job.request), video=str(job.video))
            _end(job, DONE)
        except Stopped:
            _end(job, CANCELLED)
        except Unable as error:
            _end(job, FAILED, str(error))
        except Exception:  # of the server itself; the queue must not end with it
            logger.exception("%s", job.video.name)
            _end(job, FAILED, "This failed in the server. Try again, or with other settings.")


def _end(job: Job, state: str, error: str = "") -> None:
    job.state, job.error, job.progress = state, error, {}
    if state != DONE:
        shutil.rmtree(job.video.parent, ignore_errors=True)
