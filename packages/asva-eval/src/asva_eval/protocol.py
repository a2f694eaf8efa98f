"""Protocols: how clips are taken from files and which scores they get, as small YAML files that can be copied."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from asva_data.settings import SettingsReader, plain_values, strict
from asva_eval.scores import AnyScore

PROTOCOLS = files("asva_eval") / "protocols"


class ProtocolError(ValueError):
    """A protocol that does not exist, does not parse or has a field that it may not have."""


def _named(value: Any) -> Any:
    """A score without settings may be written as its bare name."""
    return {"score": value} if isinstance(value, str) else value


Settings = Annotated[AnyScore, Field(discriminator="score"), BeforeValidator(_named)]


@strict
class Protocol:
    """How clips are taken from files and which scores they get.

    Attributes:
        description: What it is for, and whose numbers it can be compared with.
        clips: Clips of each video that is longer than one; evenly spread.
        seconds: Length of a clip.
        num_frames: Frames of a clip that the networks see.
        fps: Their rate.
        frames: Which frame of the file stands for a moment, see `asva_data.clip_frames`.
        short: Whether a file shorter than a clip shows its last frame on (``"repeat"``, as published), or is left out.
        stereo: How the networks hear stereo files, see `asva_audio.load_audio`.
        sound: Whether a generated clip is judged with its own file's sound, or with that of its reference.
        text: What the text scores compare with: the name of the class folder as it is (``"folder"``), with underscores
            read as spaces (``"words"``), or the captions of the manifest (``"caption"``).
        skip_first: Whether the first frame, which image-to-video models are given, is left out of frame scores.
        tolerance: Seconds within which events of picture and sound belong together.
        num_shifts: Circular shifts of the sound that the chance level is taken from.
        num_strangers: Other clips whose sounds the swapped chance level is taken from.
        scores: The scores with their settings.
    """

    description: str
    clips: Annotated[int, Field(ge=1)] = 1
    seconds: Annotated[float, Field(gt=0)] = 2.0
    num_frames: Annotated[int, Field(ge=2)] = 12
    fps: Annotated[float, Field(gt=0, le=1000)] = 6.0
    frames: Literal["official", "nearest"] = "nearest"
    short: Literal["repeat", "leave out"] = "leave out"
    stereo: Literal["official", "correct"] = "correct"
    sound: Literal["own", "reference"] = "own"
    text: Literal["folder", "words", "caption"] = "words"
    skip_first: bool = True
    tolerance: Annotated[float, Field(gt=0)] = 0.1
    num_shifts: Annotated[int, Field(ge=32)] = 32
    num_strangers: Annotated[int, Field(ge=1)] = 4
    scores: Annotated[tuple[Settings, ...], Field(min_length=1)]

    @cached_property
    def digest(self) -> str:
        """Hash of every field but the description; equal digests measure the same."""
        return _digest({name: value for name, value in protocol_record(self).items() if name != "description"})

    @cached_property
    def cut_digest(self) -> str:
        """Hash of the fields that decide what a clip is; records of equal ones can be taken over."""
        names = ("seconds", "num_frames", "fps", "frames", "short", "stereo", "sound")
        return _digest({name: protocol_record(self)[name] for name in names})


_READER: SettingsReader[Protocol] = SettingsReader(Protocol, PROTOCOLS, word="protocol", error=ProtocolError)
protocol_names = _READER.names
protocol_record = plain_values


def load_protocol(source: str | Path) -> Protocol:
    """Read a protocol by name or path.

    Args:
        source: Name of a bundled protocol, or path of a YAML file.

    Raises:
        ProtocolError: If there is no such protocol, it does not parse, a field or a score is unknown or has a wrong
            value, or a score appears twice under one name.
    """
    protocol = _READER.load(source)
    names = [score.name for score in protocol.scores]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProtocolError(
            f"`scores` in {source} must have names of their own, got {twice[0]} twice; give one a `label`."
        )
    return protocol


def protocol_text(source: str | Path) -> str:
    """The YAML of a protocol by name or path.

    Raises:
        ProtocolError: If there is none.
    """
    return _READER.find(source).read_text(encoding="utf-8")


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
