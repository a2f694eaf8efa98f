"""What the page's requests do: uploads are stored and read, videos queued, shown and removed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from asva_pages.demo.examples import EXAMPLES
from asva_pages.demo.home import new_home, occupied
from asva_pages.demo.html import page_html
from asva_pages.demo.queue import Queue
from asva_pages.demo.requests import command_line, in_short, read_wish
from asva_pages.demo.sessions import DONE, Job, Session, Sessions, Upload
from asva_pages.demo.settings import Settings
from asva_pages.demo.uploads import check_size, checked_name, store
from asva_pages.demo.workers import Worker
from asva_pages.requests import Refused, read_json

SWEEP = 30.0  # seconds between two looks for those who are gone
KINDS = {"sound": "listen", "picture": "look", "mask": "look_at_mask"}
LONGEST_WISH = 100_000  # bytes of JSON
AT_ONCE = 2  # uploads of one browser
READERS = 2  # processes that read uploads, while others make videos


class Server:
    """What stands behind the page.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.limits = settings, settings.limits
        self.cookie = f"asva_demo_{secrets.token_hex(4)}"  # another server on this machine has another one
        self.home = new_home()
        self.sessions = Sessions(self.home, self.limits)
        self.readers = [Worker(settings, self.home, self.limits.reading) for _ in range(READERS)]  # of uploads
        self.makers = [Worker(settings, self.home) for _ in range(settings.workers)]
        self.queue = Queue(self.makers, self.limits)
        self.drawn: Any = None  # the task that draws the examples

    @contextlib.asynccontextmanager
    async def live(self, app: Starlette) -> AsyncGenerator[None]:
        """From the start to the end of the server."""
        del app
        with occupied(self.home):
            folder = self.home / "examples"
            folder.mkdir()
            self.drawn = asyncio.create_task(self.readers[0].do("examples", folder=str(folder)))
            tasks = [self.drawn, asyncio.create_task(self.queue.run()), asyncio.create_task(self._sweep())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                for worker in (*self.readers, *self.makers):
                    worker.close()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP, self.limits.keep))
            for key in self.sessions.old():
                self.sessions.end(key)

    async def page(self, request: Request) -> Response:
        """The page, and a cookie for those who have none."""
        response = HTMLResponse(page_html(self.settings))
        if self.sessions.find(request.cookies.get(self.cookie)) is None:
            if not secrets.compare_digest(request.query_params.get("key", "").encode(), self.settings.key.encode()):
                raise Refused(403, "The address must be the one that the server told when it began, with its key.")
            secure = request.url.scheme == "https"
            response.set_cookie(self.cookie, self.sessions.begin(), httponly=True, samesite="strict", secure=secure)
        return response

    async def example_picture(self, request: Request) -> Response:
        """The picture of an example."""
        return FileResponse(await self._example(request, ".png"))

    async def _example(self, request: Request, ending: str) -> Path:
        name = request.path_params["name"]
        if name not in EXAMPLES:
            raise Refused(404, "There is no such example.")
        await asyncio.shield(self.drawn)
        return self.home / "examples" / f"{name}{ending}"

    async def state(self, request: Request, session: Session) -> Response:
        """Everything of one browser."""
        del request
        uploads = [upload.public() for upload in session.uploads.values()]
        return JSONResponse({"uploads": uploads, "jobs": [self._public(job) for job in session.jobs.values()]})

    def _public(self, job: Job) -> dict[str, Any]:
        return job.public(self.queue.position(job))

    async def upload(self, request: Request, session: Session) -> Response:
        """A sound, a picture or a painted mask: stored as it comes, then read by the worker."""
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise Refused(404, "There is no such kind of file.")
        name = checked_name(request.query_params.get("name", ""))
        check_size(request.headers.get("content-length"), self.limits.upload, self.home)
        with _busy(session):
            path = session.new_folder() / name
            try:
                async with asyncio.timeout(self.limits.patience):
                    await store(request.stream(), path, "sound" if kind == "sound" else "picture", self.limits.upload)
                upload = await self._read(session, kind, path)
            except BaseException as error:
                shutil.rmtree(path.parent, ignore_errors=True)
                if isinstance(error, TimeoutError):
                    raise Refused(408, "The file took too long to come.") from None
                raise
        return JSONResponse(upload.public())

    async def take_example(self, request: Request, session: Session) -> Response:
        """Picture and sound of an example, as if they had been sent."""
        taken = []
        with _busy(session):
            for kind, ending in (("picture", ".png"), ("sound", ".wav")):
                source = await self._example(request, ending)
                path = session.new_folder() / source.name
                shutil.copyfile(source, path)
                taken.append((await self._read(session, kind, path)).public())
        return JSONResponse(taken)

    async def _read(self, session: Session, kind: str, path: Path) -> Upload:
        preview = path.with_name("preview.wav" if kind == "sound" else "preview.png")
        if preview == path:
            preview = preview.with_stem("shown")
        reader = next((one for one in self.readers if not one.busy), self.readers[-1])
        told = await reader.do(KINDS[kind], path=str(path), preview=str(preview))
        upload = Upload(id=path.parent.name, kind=kind, path=path, preview=preview, told=told)
        session.keep(upload, self.limits.files)
        return upload

    async def preview(self, request: Request, session: Session) -> Response:
        """What is shown of an upload."""
        return FileResponse(_of(session.uploads, request).preview)

    async def original(self, request: Request, session: Session) -> Response:
        """An upload as it came, to save it."""
        path = _of(session.uploads, request).path
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    async def make(self, request: Request, session: Session) -> Response:
        """A new video in the queue."""
        body = await read_json(request, LONGEST_WISH)
        sound, picture = (session.uploads.get(str(body.get(kind))) for kind in ("sound", "picture"))
        if sound is None or picture is None or (sound.kind, picture.kind) != ("sound", "picture"):
            raise Refused(422, "A sound and a picture must be chosen: they may have been removed, give them again.")
        mask = session.uploads.get(str(body.get("mask")))
        if body.get("mask") is not None and (mask is None or mask.kind != "mask"):
            raise Refused(422, "What you painted is no longer here: paint it again.")
        wish = read_wish(body, sound, picture, self.settings, mask)
        self._make_room(session)
        session.made += 1
        video = session.new_folder() / f"{sound.path.stem}-{session.made}.mp4"
        job = Job(
            id=video.parent.name,
            session=session,
            video=video,
            request=wish,
            command=command_line(wish, self.settings, video),
            title=in_short(wish),
        )
        await self.queue.add(job)
        session.jobs[job.id] = job
        return JSONResponse(self._public(job), 201)

    def _make_room(self, session: Session) -> None:
        while len(session.jobs) >= self.limits.jobs:
            ended = [job for job in session.jobs.values() if not job.active]
            if not ended:
                raise Refused(429, f"{len(session.jobs)} of your videos are waiting: let some be made first.")
            session.forget(ended[0])

    async def cancel(self, request: Request, session: Session) -> Response:
        """Stop a video."""
        job = _of(session.jobs, request)
        self.queue.cancel(job)
        return JSONResponse(self._public(job))

    async def remove(self, request: Request, session: Session) -> Response:
        """Remove a video that is no longer in work."""
        job = _of(session.jobs, request)
        if job.active:
            raise Refused(409, "It is in work: cancel it first.")
        session.forget(job)
        return JSONResponse({})

    async def result(self, request: Request, session: Session) -> Response:
        """The video, or the JSON beside it."""
        job = _of(session.jobs, request)
        path = {"video": job.video, "json": job.video.with_suffix(".json")}.get(request.path_params["what"])
        if job.state != DONE or path is None:
            raise Refused(404, "There is no such file.")
        how = "attachment" if "save" in request.query_params else "inline"
        return FileResponse(path, filename=path.name, content_disposition_type=how)


@contextlib.contextmanager
def _busy(session: Session) -> Generator[None]:
    """While files are on their way; a session does not end meanwhile."""
    if session.busy >= AT_ONCE:
        raise Refused(429, "Two files are on their way already: wait for them.")
    session.busy += 1
    try:
        yield
    finally:
        session.busy -= 1


def _of(things: dict[str, Any], request: Request) -> Any:
    """One of somebody's own things; those of others are as if they were not there."""
    found = things.get(request.path_params["id"])
    if found is None:
        raise Refused(404, "There is no such thing of yours.")
    return found
