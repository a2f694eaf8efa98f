"""Who is who: an unguessable cookie names a session, whose files nobody else can name, and which ends by itself."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asva_pages.demo.settings import Limits
from asva_pages.requests import Refused

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


@dataclass(eq=False, kw_only=True)
class Upload:
    """A sound or a picture of somebody.

    Attributes:
        id: That no other has.
        kind: ``sound`` or ``picture``.
        path: Its file, with the user's name for it, in a folder of its own.
        preview: What is shown of it.
        told: What the worker said about it.
    """

    id: str
    kind: str
    path: Path
    preview: Path
    told: dict[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """For the page."""
        return {"id": self.id, "kind": self.kind, "name": self.path.name, **self.told}


@dataclass(eq=False, kw_only=True)
class Job:
    """A video of somebody, on its way or made.

    Attributes:
        id: That no other has.
        session: Whose.
        video: Its file; the JSON stands beside it.
        request: Arguments of :class:`asva_pipelines.make.plan.Request`.
        command: The command line that makes the same.
        title: A line about it.
        state: Waiting, running, done, failed or cancelled.
        progress: What the worker said last.
        error: What went wrong, for the user.
        told: What the worker said of the video.
    """

    id: str
    session: Session
    video: Path
    request: dict[str, Any]
    command: str
    title: str
    state: str = WAITING
    progress: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether it waits or is in work."""
        return self.state in (WAITING, RUNNING)

    def public(self, position: int | None) -> dict[str, Any]:
        """For the page."""
        return {
            "id": self.id,
            "name": self.video.name,
            "title": self.title,
            "command": self.command,
            "state": self.state,
            "position": position,
            "error": self.error,
            **self.progress,
            **self.told,
        }


@dataclass(eq=False, kw_only=True)
class Session:
    """Somebody's browser.

    Attributes:
        folder: Of his files alone.
        seen: When he was there last.
        uploads: By id, in order.
        jobs: By id, in order.
        made: Videos so far, to number them.
        busy: Uploads on their way.
    """

    folder: Path
    seen: float = field(default_factory=time.monotonic)
    uploads: dict[str, Upload] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    made: int = 0
    busy: int = 0

    def new_folder(self) -> Path:
        """An empty folder with a name that nobody can guess."""
        folder = self.folder / secrets.token_urlsafe(12)
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def keep(self, upload: Upload, most: int) -> None:
        """Take an upload in; the oldest of its kind goes where there are too many, unless a video needs it."""
        self.uploads[upload.id] = upload
        active = [job.request for job in self.jobs.values() if job.active]
        needed = {one[name] for one in active for name in ("audio", "image")}
        needed |= {one["options"]["--region"] for one in active if "--region" in one["options"]}
        same = [one for one in self.uploads.values() if one.kind == upload.kind and one.path not in needed]
        for old in same[: max(len(same) - most, 0)]:
            del self.uploads[old.id]
            shutil.rmtree(old.path.parent, ignore_errors=True)

    def forget(self, job: Job) -> None:
        """Remove a video."""
        self.jobs.pop(job.id, None)
        shutil.rmtree(job.video.parent, ignore_errors=True)


class Sessions:
    """All of them.

    Args:
        home: Folder of their folders.
        limits: How many, and how long.
    """

    def __init__(self, home: Path, limits: Limits) -> None:
        self._home, self._limits = home, limits
        self._known: dict[str, Session] = {}

    def find(self, key: str | None) -> Session | None:
        """That of a cookie, which is seen by that."""
        session = self._known.get(key or "")
        if session is not None:
            session.seen = time.monotonic()
        return session

    def begin(self) -> str:
        """A new one; returns the cookie's value.

        Raises:
            Refused: If there are too many.
        """
        if len(self._known) >= self._limits.sessions:
            idle = [key for key, one in self._known.items() if not one.uploads and not one.jobs and not one.busy]
            if not idle:
                raise Refused(503, "Too many people are here: try again later.")
            self.end(min(idle, key=lambda key: self._known[key].seen))
        key = secrets.token_urlsafe(32)
        self._known[key] = Session(folder=self._home / secrets.token_urlsafe(16))
        return key

    def old(self) -> Iterable[str]:
        """Those who are gone, and have nothing in work."""
        before = time.monotonic() - self._limits.keep
        gone = [key for key, one in self._known.items() if one.seen < before and not one.busy]
        return [key for key in gone if not any(job.active for job in self._known[key].jobs.values())]

    def end(self, key: str) -> None:
        """Forget somebody and remove his files."""
        session = self._known.pop(key)
        shutil.rmtree(session.folder, ignore_errors=True)
