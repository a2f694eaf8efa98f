"""A worker's own process: it reads uploads and makes videos, and whatever happens to it, the server goes on."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from asva_pages.demo.settings import Settings


def serve(connection: Connection, unwanted: Any, settings: Settings, home: Path, bounded: bool = False) -> None:
    """Do one task after another until the server hangs up.

    Args:
        connection: Brings ``(number, task, arguments)``; takes ``(kind, value)``, whose kind is told, done,
            refused, failed or cancelled.
        unwanted: Shared number of the task that shall stop.
        settings: Of the server.
        home: Folder of all files, which nobody is told of.
        bounded: Whether memory and pixels are bounded, as for what strangers send.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    if bounded:
        _bound(settings)
    number = 0
    work = Work(settings, lambda value: connection.send(("told", value)), lambda: unwanted.value == number)
    while True:
        try:
            number, task, arguments = connection.recv()
            connection.send(_answer(work, task, arguments, home))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _bound(settings: Settings) -> None:
    most = settings.limits
    os.environ["ASVA_LIMITS"] = f"{os.environ.get('ASVA_LIMITS', '')} pixels={most.pixels} held={most.memory // 4}"
    with contextlib.suppress(ImportError, ValueError):  # Windows has no such bounds; lower ones of the system stay
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (most.memory, resource.getrlimit(resource.RLIMIT_DATA)[1]))


class Remarks(logging.Handler):
    """What the libraries say while something is made."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one remark."""
        self.lines.append(record.getMessage())


def _answer(work: Work, task: str, arguments: dict[str, Any], home: Path) -> tuple[str, Any]:
    from asva_pages.demo.stages import Cancelled

    remarks, log = Remarks(), logging.getLogger("asva")
    log.addHandler(remarks)
    try:
        result = getattr(work, task)(**arguments)
    except Cancelled:
        return "cancelled", None
    except (ValueError, OSError, MemoryError) as error:
        return "refused", _line(error, home)
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":
            return "refused", _line(error, home)
        traceback.print_exc(file=sys.__stderr__)
        return "failed", f"This failed in the server ({type(error).__name__}). Try again, or with other settings."
    finally:
        log.removeHandler(remarks)
    notes = [line.removeprefix("Note: ") for line in remarks.lines if line.startswith("Note: ")]
    return "done", result | {"notes": [_public(note[:1].upper() + note[1:], home) for note in notes]}


def _line(error: BaseException, home: Path) -> str:
    from asva_pipelines.make.errors import describe

    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "Memory ran out in the server: take a shorter sound."
    return _public(" ".join(describe(error).split()), home)


def _public(text: str, home: Path) -> str:
    """A message without the folders of this machine, and in the words of the page."""
    text = re.sub(re.escape(str(home)) + r"(?:[\\/][\w-]+)*[\\/]", "", text)
    for option, words in (("--audio", "The sound"), ("SOURCE", "The sound"), ("--image", "The picture")):
        text = text.replace(f"`{option}`: ", "").replace(f"`{option}`", words)
    return text.replace("`--keyframes`", "Keyframes").replace("`path`", "The file")


class Work:
    """What a worker can do; each result is a dictionary."""

    def __init__(self, settings: Settings, tell: Callable[[dict[str, Any]], None], stopped: Callable[[], bool]) -> None:
        self.settings, self.tell, self.stopped = settings, tell, stopped
        self._loaded: tuple[Any, Any] = (None, None)

    def load(self, folder: Path, **place: Any) -> Any:
        """The model, from the memory if it is there; another one is let go before."""
        from asva_pipelines import load_pipeline

        wanted = (folder, *sorted(place.items()))
        if self._loaded[0] != wanted:
            self._loaded = (None, None)
            self._loaded = (wanted, load_pipeline(folder, **place))
        return self._loaded[1]

    def _request(self, **wish: Any) -> Any:
        from asva_pipelines.make.plan import Request

        of = self.settings
        # The bundled model is what a command without one takes, where it knows the picture.
        return Request(
            model=None if of.model == "tiny" else of.model, device=of.device, dtype=of.dtype, offload=of.offload, **wish
        )

    def warm(self) -> dict[str, Any]:
        """Load the model before somebody waits for it, in the way that fits into the memory."""
        from asva_pipelines.make.devices import settle
        from asva_pipelines.make.plan import make_plan

        plan = settle(make_plan(self._request(audio=Path(), image=Path())))
        self.load(plan.folder, method=plan.method.name, **plan.request.place)
        return {}

    def examples(self, folder: str) -> dict[str, Any]:
        """Draw the built-in examples."""
        from asva_pages.demo.examples import draw_examples

        draw_examples(Path(folder))
        return {}

    def listen(self, path: str, preview: str) -> dict[str, Any]:
        """What a sound looks like, and where it moves a picture."""
        from asva_pages.demo.hearing import hear

        return hear(Path(path), Path(preview), self.settings)

    def look(self, path: str, preview: str) -> dict[str, Any]:
        """Size of a picture, and a small one to show."""
        from asva_pages.demo.hearing import look

        return look(Path(path), Path(preview), bundled=self.settings.model == "tiny")

    def look_at_mask(self, path: str, preview: str) -> dict[str, Any]:
        """Size of what was painted over a picture."""
        from asva_pages.demo.hearing import look

        return look(Path(path), Path(preview))

    def make(self, request: dict[str, Any], video: str) -> dict[str, Any]:
        """Make a video and its JSON, by the very code of `asva sample`."""
        from asva_pages.demo.stages import ToldStages
        from asva_pipelines.make.make_video import make_video

        target = Path(video)
        wanted = self._request(**request)
        stages = ToldStages(wanted, self.tell, self.stopped)
        targets = {"json": target.with_suffix(".json"), "video": target}
        record, _ = make_video(wanted, targets, overwrite=False, stages=stages, load=self.load)
        return {
            "frames": record["num_frames"],
            "fps": record["fps"],
            "height": record["settings"]["height"],
            "width": record["settings"]["width"],
            "keyframes": [float(second) for second in record.get("keyframes", {}).get("seconds", [])],
        }
