"""The methods by name: one line each. Other packages add theirs by entry points of the group ``asva.methods``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from asva_pipelines.entry_points import of_other_packages
from asva_pipelines.method import Method, NamedModel

_FOLDERS = (
    "keyvid",
    "avsyncd",
    "i2vd",
    "audio_window",
    "dynamicrafter",
    "mtv",
    "hear",
    "static",
    "warp",
)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        *(import_module(f"asva_pipelines.{folder}.method").METHOD for folder in _FOLDERS),
        *of_other_packages("asva.methods", Method, _FOLDERS),
    )
}
MODELS: dict[str, NamedModel] = {model.name: model for method in METHODS.values() for model in method.models}


def method_of(index: Mapping[str, Any]) -> Method | None:
    """The method of a model, by its ``model_index.json``; None if it is of none.

    >>> method_of({"_class_name": "AVSyncDPipeline", "audio_encoder": [None, None]}).name
    'i2vd'
    """
    return next((method for method in METHODS.values() if method.accepts(index)), None)


def find_model(name: str) -> tuple[Method, NamedModel] | None:
    """The model of a name or hub id, with its method; None if nobody named it."""
    every = ((method, model) for method in METHODS.values() for model in method.models)
    return next((pair for pair in every if name in pair[1].names), None)
