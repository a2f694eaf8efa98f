"""What the server of the page was told when it started: the model, and how much anyone may ask of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much anyone may ask for.

    Attributes:
        upload: Bytes of a file.
        seconds: Of a sound.
        keep: Seconds after which the files of somebody who is gone are removed.
        sessions: Browsers at once.
        files: Pictures, and sounds, that are kept for one browser; the oldest goes first.
        jobs: Videos that are kept for one browser, and that it may have waiting or in work.
        waiting: Videos that may wait in all.
        steps: Of the model, at most.
        prompt: Letters.
        patience: Seconds that an upload may take.
        reading: Seconds that reading one may take; the process that reads it is ended then.
        memory: Bytes that such a process may fill.
        pixels: Of a picture.
    """

    upload: int = 200_000_000
    seconds: float = 60.0
    keep: float = 3600.0
    sessions: int = 200
    files: int = 4
    jobs: int = 24
    waiting: int = 100
    steps: int = 200
    prompt: int = 1000
    patience: float = 900.0
    reading: float = 120.0
    memory: int = 8 * 2**30
    pixels: int = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of the server.

    Attributes:
        model: As the command line names it, which the page's commands repeat.
        folder: Of the model.
        device: See :func:`asva_pipelines.load_pipeline`.
        dtype: As above.
        offload: As above.
        workers: Processes that make videos, each with the model in its memory.
        hosts: Names under which the page may be asked for; ``*`` is any.
        key: What the address must hold when a browser comes first, as ``?key=...``; empty lets everyone in.
        limits: For everyone.
    """

    model: str
    folder: Path
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "auto"
    workers: int = 1
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    key: str = ""
    limits: Limits = field(default_factory=Limits)
