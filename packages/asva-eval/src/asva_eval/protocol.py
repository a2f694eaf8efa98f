"""Protocols: how clips are taken from files and which scores they get, as small YAML files that can be copied."""

from __future__ import annotations

import json
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from asva_data.settings import SettingsReader, strict
from asva_eval.conventions import Conventions, digest_of
from asva_eval.score import Score
from asva_eval.scores import choose

PROTOCOLS = files("asva_eval") / "protocols"


class ProtocolError(ValueError):
    """A protocol that does not exist, does not parse or has a field that it may not have."""


@strict
class Protocol(Conventions):
    """How clips are taken from files and which scores they get.

    Attributes:
        scores: The scores with their settings.
    """

    scores: Annotated[tuple[Annotated[Score, PlainValidator(choose)], ...], Field(min_length=1)]

    @cached_property
    def digest(self) -> str:
        """Hash of every field but the description; equal digests measure the same."""
        return digest_of({name: value for name, value in protocol_record(self).items() if name != "description"})


_READER: SettingsReader[Protocol] = SettingsReader(Protocol, PROTOCOLS, word="protocol", error=ProtocolError)
protocol_names = _READER.names


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


def protocol_record(protocol: Protocol) -> dict[str, Any]:
    """The protocol with every default, as plain values that YAML and JSON can hold."""
    return json.loads(json.dumps(protocol.record() | {"scores": [dict(score.settings) for score in protocol.scores]}))
