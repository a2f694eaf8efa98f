"""Licence and papers of a model folder's weights: said once when they are loaded."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from asva_pipelines.method import Credit
from asva_pipelines.methods import METHODS, method_of
from asva_weights.storage import SOURCE

_log = logging.getLogger("asva_pipelines.loading")
_said: set[str] = set()


def credit_of(folder: Path) -> Credit | None:
    """Whom the weights of a model folder are owed to; None where they were trained here."""
    if (source := folder / SOURCE).is_file():
        method = METHODS.get(json.loads(source.read_text(encoding="utf-8")).get("family", ""))
        return None if method is None else method.credit
    path = folder / "model_index.json"
    index = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    method = method_of(index)
    return method.credit if method is not None and index["_class_name"] in method.foreign else None


def say_credit(folder: Path, say: Callable[[str], None] = _log.info) -> None:
    """Tell whom the weights are owed to, once a process for each family."""
    credit = credit_of(folder)
    if credit is not None and credit.title not in _said:
        _said.add(credit.title)
        say(str(credit))
