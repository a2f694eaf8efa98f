"""The world on disk: an mp4 and a JSON for each clip; a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..clip import MediaError
from ..draft import draft_of
from ..encode import write_video
from .world import WORLD_VERSION, SyntheticClip, SyntheticWorld

CAPTIONS = "captions.jsonl"


def write_world(
    folder: str | os.PathLike,
    num: int,
    seed: int = 0,
    *,
    start: int = 0,
    size: int = 64,
    num_frames: int = 48,
    fps: float = 24,
    sample_rate: int = 16000,
    classes: Sequence[str] | str | None = None,
    two_objects: float = 0.2,
    crf: int = 12,
    on_clip: Callable[[int, Path], None] | None = None,
) -> list[Path]:
    """Write clips `start` to `start + num - 1` of a world as ``clip_000000.mp4`` and ``clip_000000.json``.

    The JSON comes last and whole, so a clip that has one is finished and is not written again. The end is
    ``captions.jsonl``, which `VideoFolder` takes as its `caption`. Masks are not written: they follow from the
    seed and the index.

    Args:
        folder: Target; made if only its last part is missing.
        num: Number of clips, at least 1.
        seed: See `SyntheticWorld`, as `size` to `two_objects`; `size` must be even.
        start: First index.
        crf: Quality of x264.
        on_clip: Called with the number of clips done and the path of the last one.

    Returns:
        The paths of the videos, in order.

    Raises:
        MediaError: If the folder cannot be made or written, or holds clips of other settings.
        ValueError: If an argument is out of its range.
    """
    if num < 1 or start < 0 or size % 2:
        raise ValueError(f"`num` must be at least 1, `start` 0 and `size` even, got {num}, {start} and {size}.")
    world = SyntheticWorld(
        seed, size=size, num_frames=num_frames, fps=fps, sample_rate=sample_rate, classes=classes,
        two_objects=two_objects,
    )  # fmt: skip
    target, paths = Path(folder), []
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise MediaError(f"`folder` could not be made: {error.strerror}, got {target}; choose another.") from error
    for done, index in enumerate(range(start, start + num), start=1):
        path = target / f"clip_{index:06d}.mp4"
        if not _is_done(path, world, index):
            _write_clip(path, world, index, crf)
        paths.append(path)
        if on_clip is not None:
            on_clip(done, path)
    _write_captions(target)
    return paths


def describe(clip: SyntheticClip) -> dict[str, Any]:
    """Everything but the frames, the sound and the mask, ready for JSON."""
    return {
        "class_name": clip.class_name,
        "caption": clip.caption,
        "event_times": [round(float(time), 6) for time in clip.event_times],
        "event_labels": list(clip.event_labels),
        "moving_object": clip.moving_object,
        "motion_score": [round(float(score), 6) for score in clip.motion_score],
        "scene": clip.scene,
    }


def _settings(world: SyntheticWorld, index: int) -> dict[str, Any]:
    names = ("seed", "size", "num_frames", "fps", "sample_rate", "two_objects")
    settings = {name: getattr(world, name) for name in names}
    return {"version": WORLD_VERSION, "index": index, "classes": list(world.classes), **settings}


def _is_done(path: Path, world: SyntheticWorld, index: int) -> bool:
    note = path.with_suffix(".json")
    if not (note.exists() and path.exists()):
        return False
    try:
        found = json.loads(note.read_text(encoding="utf-8"))["world"]
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"`folder` must hold nothing else, got {note}, which is not of this kind; move it.") from error
    if found != _settings(world, index):
        raise MediaError(f"`folder` must hold clips of the same settings, got others in {note}; choose another folder.")
    return True


def _write_clip(path: Path, world: SyntheticWorld, index: int, crf: int) -> None:
    clip = world[index]
    write_video(path, clip.frames, fps=clip.fps, waveform=clip.waveform, sample_rate=clip.sample_rate, crf=crf)
    note = {"video": path.name, "world": _settings(world, index), **describe(clip)}
    _write_text(path.with_suffix(".json"), json.dumps(note, indent=1) + "\n")


def _write_captions(target: Path) -> None:
    lines = []
    for note in sorted(target.glob("clip_*.json")):
        found = json.loads(note.read_text(encoding="utf-8"))
        lines.append(json.dumps({"path": found["video"], "caption": found["caption"]}))
    _write_text(target / CAPTIONS, "\n".join(lines) + "\n")


def _write_text(path: Path, text: str) -> None:
    try:
        with draft_of(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MediaError(f"`folder` could not be written: {error.strerror}, got {path}; free space.") from error
