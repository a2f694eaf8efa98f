"""The server of `asva demo`: the page, uploads, videos, all of them of one browser alone."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from asva.demo.examples import EXAMPLES
from asva.demo.guard import Guard
from asva.demo.queue import Queue
from asva.demo.requests import command_line, in_short, read_wish
from asva.demo.sessions import COOKIE, DONE, Job, Session, Sessions, Upload
from asva.demo.settings import Settings
from asva.demo.uploads import Refused, check_size, checked_name, in_words, store
from asva.demo.workers import Unable, Worker

STATIC = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SWEEP = 30.0  # seconds between two looks for those who are gone
KINDS = {"sound": "listen", "picture": "look"}
LONGEST_WISH = 100_000  # bytes of JSON
AT_ONCE = 2  # uploads of one browser

Handler = Callable[[Request, Session], Awaitable[Response]]


class Server:
    """What stands behind the page.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.limits = settings, settings.limits
        self.home = Path(tempfile.mkdtemp(prefix="asva-demo-"))
        self.sessions = Sessions(self.home, self.limits)
        self.ear = Worker(settings, self.home)  # uploads are heard and seen while videos are made
        self.makers = [Worker(settings, self.home) for _ in range(settings.workers)]
        self.queue = Queue(self.makers, self.limits)
        self.drawn: asyncio.Task[Any] | None = None

    @contextlib.asynccontextmanager
    async def live(self, app: Starlette) -> AsyncIterator[None]:
        """From the start to the end of the server."""
        del app
        folder = self.home / "examples"
        folder.mkdir()
        self.drawn = asyncio.create_task(self.ear.do("examples", folder=str(folder)))
        tasks = [self.drawn, asyncio.create_task(self.queue.run()), asyncio.create_task(self._sweep())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for worker in (self.ear, *self.makers):
                worker.close()
            await asyncio.gather(*tasks, return_exceptions=True)
            shutil.rmtree(self.home, ignore_errors=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP, self.limits.keep))
            for key in self.sessions.old():
                self.sessions.end(key)

    async def page(self, request: Request) -> Response:
        """The page, and a cookie for those who have none."""
        response = HTMLResponse(self._html())
        if self.sessions.find(request.cookies.get(COOKIE)) is None:
            secure = request.url.scheme == "https"
            response.set_cookie(COOKIE, self.sessions.begin(), httponly=True, samesite="strict", secure=secure)
        return response

    def _html(self) -> str:
        from jinja2 import Environment, StrictUndefined

        from asva.models.folders import method_of_model, model_settings

        settings = self.settings
        method = method_of_model(settings.folder)
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        text = (files("asva.demo") / "page" / "index.html.jinja").read_text(encoding="utf-8")
        return environment.from_string(text).render(
            model=settings.model,
            method=method,
            told=model_settings(settings.folder, method),
            limits=self.limits,
            largest=in_words(self.limits.upload),
            examples={name: words for name, (_, words) in EXAMPLES.items()},
        )

    async def static(self, request: Request) -> Response:
        """A style or a script of the page."""
        name = request.path_params["name"]
        file = files("asva.demo") / "page" / name
        kind = STATIC.get(Path(name).suffix)
        if kind is None or name != Path(name).name or not file.is_file():
            raise Refused(404, "There is no such file.")
        return Response(file.read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"})

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
        """A sound or a picture: stored as it comes, then read by the worker."""
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise Refused(404, "There is no such kind of file.")
        name = checked_name(request.query_params.get("name", ""))
        check_size(request.headers.get("content-length"), self.limits.upload, self.home)
        if session.busy >= AT_ONCE:
            raise Refused(429, "Two files are on their way already: wait for them.")
        session.busy += 1
        folder = session.new_folder()
        try:
            await store(request.stream(), folder / name, kind, self.limits.upload)
            upload = await self._read(session, kind, folder / name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            session.busy -= 1
        return JSONResponse(upload.public())

    async def take_example(self, request: Request, session: Session) -> Response:
        """Picture and sound of an example, as if they had been sent."""
        taken = []
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
        told = await self.ear.do(KINDS[kind], path=str(path), preview=str(preview))
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
        body = await _json(request)
        sound, picture = (session.uploads.get(str(body.get(kind))) for kind in ("sound", "picture"))
        if sound is None or picture is None or (sound.kind, picture.kind) != ("sound", "picture"):
            raise Refused(422, "A sound and a picture must be chosen: they may have been removed, give them again.")
        wish = read_wish(body, sound, picture, self.settings)
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


def make_app(settings: Settings) -> Starlette:
    """The application, for any ASGI server; its files are removed when it ends."""
    server = Server(settings)
    mine = _for(server)
    app = Starlette(
        routes=[
            Route("/", server.page),
            Route("/static/{name}", server.static),
            Route("/examples/{name}.png", server.example_picture),
            Route("/api/state", mine(server.state)),
            Route("/api/examples/{name}", mine(server.take_example), methods=["POST"]),
            Route("/api/uploads/{kind}", mine(server.upload), methods=["PUT"]),
            Route("/api/uploads/{id}/preview", mine(server.preview)),
            Route("/api/uploads/{id}/original", mine(server.original)),
            Route("/api/jobs", mine(server.make), methods=["POST"]),
            Route("/api/jobs/{id}", mine(server.remove), methods=["DELETE"]),
            Route("/api/jobs/{id}/cancel", mine(server.cancel), methods=["POST"]),
            Route("/api/jobs/{id}/{what}", mine(server.result)),
        ],
        middleware=[Middleware(Guard, hosts=settings.hosts)],
        exception_handlers={Refused: _refused, Unable: _unable, HTTPException: _http, ClientDisconnect: _gone},
        lifespan=server.live,
    )
    app.state.server = server
    return app


def _for(server: Server) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Handlers that answer only those who have a session, and know whose."""

    def mine(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            session = server.sessions.find(request.cookies.get(COOKIE))
            if session is None:
                raise Refused(401, "Your files were removed, as you were away for long: load the page again.")
            return await handler(request, session)

        return handle

    return mine


def _of(things: dict[str, Any], request: Request) -> Any:
    """One of somebody's own things; those of others are as if they were not there."""
    found = things.get(request.path_params["id"])
    if found is None:
        raise Refused(404, "There is no such thing of yours.")
    return found


async def _json(request: Request) -> dict[str, Any]:
    import json

    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > LONGEST_WISH:
            raise Refused(413, "That is too much.")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(400, "The request must be JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "The request must be a JSON object.")
    return body


async def _refused(request: Request, error: Any) -> Response:
    # What was not read of an upload is not read any more.
    headers = {"Connection": "close"} if request.method == "PUT" else {}
    return JSONResponse({"error": error.line}, error.status, headers)


async def _unable(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": str(error)}, 422)


async def _http(request: Request, error: Any) -> Response:
    del request
    return JSONResponse({"error": f"{error.detail}."}, error.status_code)


async def _gone(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=499)
