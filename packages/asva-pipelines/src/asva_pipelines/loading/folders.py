"""Model folders: what their index says, and no folder is used that is broken."""

from __future__ import annotations

import json
import logging
import math
import re
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from asva_pipelines.method import Method
from asva_pipelines.methods import METHODS, method_of
from asva_weights import ModelError
from asva_weights.text import read_text

if TYPE_CHECKING:
    import torch


# CLIP lost these parts of its names in transformers 5, which still reads files that have them; Gemma's towers got
# `model.` before theirs.
_FORMER_NAME = re.compile(r"(^|\.)(?:text_model|vision_model)\.")


def read_index(folder: Path) -> dict[str, Any]:
    """Content of a model folder's ``model_index.json``.

    Raises:
        ModelError: If it is damaged.
    """
    path = folder / "model_index.json"
    try:
        index = json.loads(read_text(path))
        return index | {"_class_name": str(index["_class_name"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path) from error


def method_of_model(folder: Path, wanted: str | None = None) -> Method:
    """The method of a model folder, which must be the wanted one.

    Args:
        folder: With ``model_index.json``.
        wanted: Name of a method; None is the model's own.

    Raises:
        ModelError: If the folder is damaged, of no method, or of another one.
    """
    index = read_index(folder)
    asked = METHODS.get(wanted or "")
    found = asked if asked is not None and asked.accepts(index) else method_of(index)
    if found is None:
        raise ModelError(f"Model '{folder}' is a {index['_class_name']}, which no method loads ({', '.join(METHODS)}).")
    if wanted not in (None, found.name):
        raise ModelError(
            f"Model '{folder}' is for the method {found.name}, not {wanted}: pass `--method {found.name}` "
            f"or another `--model`."
        )
    return found


def model_settings(folder: Path, method: Method) -> dict[str, Any]:
    """Settings of a model folder, read without loading any network.

    Raises:
        ModelError: If ``model_index.json`` is damaged.
    """
    try:
        return method.settings(read_index(folder))
    except KeyError as error:
        raise _damaged(folder / "model_index.json") from error


def shared_parts(folder: Path) -> dict[str, Path]:
    """Parts that a model folder names and does not hold, and where its method shares them; none of other folders."""
    index = read_index(folder) if (folder / "model_index.json").is_file() else {}
    method = method_of(index)
    shared = {} if method is None else method.shared
    return {part: home for part, home in shared.items() if _named(index, part) and not (folder / part).is_dir()}


def _named(index: dict[str, Any], part: str) -> bool:
    value = index.get(part)
    return isinstance(value, list) and value[:1] != [None]


class StoredPart(NamedTuple):
    """A part of a model folder.

    Attributes:
        name: Its folder.
        parameters: Their number.
        bytes: On disk.
        precisions: In which they are stored, as safetensors calls it.
    """

    name: str
    parameters: int
    bytes: int
    precisions: list[str]


def stored_parts(folder: Path) -> list[StoredPart]:
    """Parts of a model folder that hold weights, read from the headers alone."""
    folders = {path.name: path for path in folder.iterdir() if path.is_dir()} | shared_parts(folder)
    parts = []
    for name, part in sorted(folders.items()):
        files = sorted(part.glob("*.safetensors"))
        entries = [entry for file in files for entry in _header_of(file).values()]
        count = sum(math.prod(entry["shape"]) for entry in entries)
        precisions = sorted({entry["dtype"] for entry in entries} - {"I64"})  # places, not weights
        if count:
            parts.append(StoredPart(name, count, sum(file.stat().st_size for file in files), precisions))
    return parts


def stored_names(folder: Path) -> set[str]:
    """Names of the weights in the safetensors files of one part of a model."""
    return {name for file in folder.glob("*.safetensors") for name in _header_of(file)}


def _header_of(file: Path) -> dict[str, Any]:
    try:
        with open(file, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, file.stat().st_size)))
        header.pop("__metadata__", None)
        return header
    except (ValueError, AttributeError, RecursionError, struct.error) as error:
        raise _damaged(file) from error


def _damaged(path: Path) -> ModelError:
    return ModelError(f"'{path}' is damaged: fetch or convert the model again.")


# Names that torch had for what weight normalisation learns, as wav2vec 2.0 is stored.
_OF_WEIGHT_NORM = {f".weight_{old}": f".parametrizations.weight.original{new}" for old, new in (("g", 0), ("v", 1))}


def check_complete(folder: Path, network: torch.nn.Module) -> None:
    """The libraries fill a missing weight with random numbers and go on; here it is an error.

    Raises:
        ValueError: Naming some of the weights that the folder's files lack.
    """
    stored = stored_names(folder)
    stored |= {_FORMER_NAME.sub(r"\1", name, count=1) for name in stored}
    stored |= {f"model.{name.replace('language_model.model.', 'language_model.', 1)}" for name in stored}
    for former, name in _OF_WEIGHT_NORM.items():
        stored |= {one.removesuffix(former) + name for one in stored if one.endswith(former)}
    # What a LoRA adds has files of its own.
    state = {
        name.replace(".base_layer.", "."): value for name, value in network.state_dict().items() if ".lora_" not in name
    }
    # A weight with two names is stored under one of them.
    there = {value.data_ptr() for name, value in state.items() if name in stored}
    missing = [name for name, value in state.items() if name not in stored and value.data_ptr() not in there]
    if missing:
        raise ValueError(f"{folder.name} lacks {len(missing)} weights, {', '.join(sorted(missing)[:3])}")


@contextmanager
def damage_named(folder: Path) -> Generator[None]:
    """One clear error for the many ways in which a folder of weights can be broken."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ModelError(
            f"Model folder '{folder}' is damaged or incomplete ({reason}): fetch or convert it again."
        ) from error


@contextmanager
def quiet_libraries() -> Generator[None]:
    """Progress bars and remarks of the libraries would stand between the lines of ours."""
    import diffusers.utils.logging as diffusers_log
    import transformers.utils.logging as transformers_log

    logs = (diffusers_log, transformers_log)
    levels = [log.get_verbosity() for log in logs]
    bars = [log.is_progress_bar_enabled() for log in logs]
    for log in logs:
        log.set_verbosity(logging.CRITICAL)
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level, bar in zip(logs, levels, bars, strict=True):
            log.set_verbosity(level)
            if bar:
                log.enable_progress_bar()
