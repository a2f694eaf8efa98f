"""What the conversion of one family of released models consists of."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from asva_weights.errors import ConversionError, ModelError
from asva_weights.remote import RemoteFile

State = Mapping[str, Tensor]
Files = dict[str, Path]
Say = Callable[[str], None]


@dataclass(kw_only=True)
class Release:
    """Released files as networks of ours, every key and shape checked, the weights still on disk.

    Attributes:
        networks: By the name of their folder; the single one of an encoder is called so.
        finish: Writes what else belongs into the folder, and returns what ``source.json`` says about it. None for an
            encoder, whose network is the folder.
    """

    networks: dict[str, nn.Module]
    finish: Callable[[Path, Say], dict[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of released models.

    Attributes:
        name: As in ``source.json``.
        title: For people.
        wants: What a source of it is called, for people.
        licence: Of the weights.
        find: Files of the family in a folder, by the names that they have there; or, given the content, the single
            file. None if it is another family's. The mapping holds files that stand elsewhere.
        read: Files to networks.
        elsewhere: Files that it needs and that its own home lacks; they may lie in the folder all the same.
    """

    name: str
    title: str
    wants: str
    licence: str
    find: Callable[[Path, Mapping[str, Any] | None, Files], Files | None]
    read: Callable[[Files, Say], Release]
    elsewhere: tuple[RemoteFile, ...] = ()


@contextmanager
def blame(path: str | os.PathLike[str], what: str) -> Generator[None]:
    """Let an error of a converter name the file, and what it should have been."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if isinstance(error, ModelError) and str(path) in str(error):
            raise
        raise ConversionError(f"'{path}' is not a whole {what}: {error}") from error
