"""Conventions: how clips are taken from files and compared, the part of a protocol that every score knows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from asva_data.settings import strict


@strict
class Conventions:
    """How clips are taken from files and compared.

    Attributes:
        description: What the protocol is for, and whose numbers it can be compared with.
        clips: Clips of each video that is longer than one; evenly spread.
        seconds: Length of a clip.
        num_frames: Frames of a clip that the networks see.
        fps: Their rate.
        size: Height and width that the middle of every picture is cropped and resized to before anything is measured,
            that of the models as in the original; None takes pictures as they are.
        frames: Which frame of the file stands for a moment, see `asva_data.clip_frames`.
        short: Whether a file shorter than a clip shows its last frame on (``"repeat"``, as published), or is left out.
        stereo: What networks are given of stereo files, see `asva_audio.load_audio`.
        sound: Whether a generated clip is judged with its own file's sound, or with that of its reference.
        text: What the text scores compare with: the name of the class folder as it is (``"folder"``), with underscores
            read as spaces (``"words"``), or the captions of the manifest (``"caption"``).
        skip_first: Whether the first frame, which image-to-video models are given, is left out of frame scores.
        tolerance: Seconds within which events of picture and sound belong together.
        num_shifts: Circular shifts of the sound that the chance level is taken from.
        num_strangers: Other clips whose sounds the swapped chance level is taken from.
    """

    description: str
    clips: Annotated[int, Field(ge=1)] = 1
    seconds: Annotated[float, Field(gt=0)] = 2.0
    num_frames: Annotated[int, Field(ge=2)] = 12
    fps: Annotated[float, Field(gt=0, le=1000)] = 6.0
    size: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] | None = None
    frames: Literal["official", "nearest"] = "nearest"
    short: Literal["repeat", "leave out"] = "leave out"
    stereo: Literal["official", "correct"] = "correct"
    sound: Literal["own", "reference"] = "own"
    text: Literal["folder", "words", "caption"] = "words"
    skip_first: bool = True
    tolerance: Annotated[float, Field(gt=0)] = 0.1
    num_shifts: Annotated[int, Field(ge=32)] = 32
    num_strangers: Annotated[int, Field(ge=1)] = 4

    @cached_property
    def cut_digest(self) -> str:
        """Hash of the fields that decide what a clip is; records of equal ones can be taken over."""
        names = ("seconds", "num_frames", "fps", "size", "frames", "short", "stereo", "sound")
        return digest_of({name: getattr(self, name) for name in names})

    def record(self) -> dict[str, Any]:
        """All conventions as plain values that YAML and JSON can hold."""
        return {field.name: getattr(self, field.name) for field in fields(Conventions)}


def digest_of(record: dict[str, Any]) -> str:
    """Short hash of plain values."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
