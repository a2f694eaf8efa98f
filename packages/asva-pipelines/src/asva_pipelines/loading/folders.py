"""Model folders: what their index says, and no folder is used that is broken."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asva_pipelines.methods import METHODS, Method, method_of
from asva_weights import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["check_complete", "damage_named", "method_of_model", "model_settings", "read_index"]

# CLIP lost these parts of its names in transformers 5, which still reads files that have them.
_FORMER_NAME = re.compile(r"(^|\.)(?:text_model|vision_model)\.")


def read_index(folder: Path) -> dict[str, Any]:
    """Content of a model folder's ``model_index.json``.

    Raises:
        ModelError: If it is damaged.
    """
    path = folder / "model_index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        return index | {"_class_name": str(index["_class_name"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
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
    found = method_of(index)
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


def _damaged(path: Path) -> ModelError:
    return ModelError(f"'{path}' is damaged: fetch or convert the model again.")


def check_complete(folder: Path, network: torch.nn.Module) -> None:
    """The libraries fill a missing weight with random numbers and go on; here it is an error.

    Raises:
        ValueError: Naming some of the weights that the folder's files lack.
    """
    from asva_pipelines.loading.memory import stored_names

    stored = stored_names(folder)
    stored |= {_FORMER_NAME.sub(r"\1", name, count=1) for name in stored}
    state = network.state_dict()
    # A weight with two names is stored under one of them.
    there = {value.data_ptr() for name, value in state.items() if name in stored}
    missing = [name for name, value in state.items() if name not in stored and value.data_ptr() not in there]
    if missing:
        raise ValueError(f"{folder.name} lacks {len(missing)} weights, {', '.join(sorted(missing)[:3])}")


@contextmanager
def damage_named(folder: Path) -> Iterator[None]:
    """One clear error for the many ways in which a folder of weights can be broken."""
    from safetensors import SafetensorError

    try:
        with _no_chatter():
            yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ModelError(
            f"Model folder '{folder}' is damaged or incomplete ({reason}): fetch or convert it again."
        ) from error


@contextmanager
def _no_chatter() -> Iterator[None]:
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
