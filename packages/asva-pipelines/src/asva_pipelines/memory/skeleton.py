"""A pipeline without weights: every network in its shape, none of its numbers."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from asva_pipelines.loading.folders import damage_named, method_of_model, quiet_libraries, read_index, shared_parts


def skeleton(folder: Path, method: str | None = None, *, dtype: torch.dtype = torch.float32) -> Any:
    """The pipeline of a model folder on the meta device, where shapes are computed and nothing is held.

    Args:
        folder: In this project's form, or of Stable Diffusion for AADiff.
        method: A name of :data:`asva_pipelines.METHODS`; None is the model's own.
        dtype: Of the networks.

    Raises:
        ModelError: If the folder is damaged, of no method, or of another one.
    """
    found = method_of_model(folder, method)
    maker, beside = found.pipeline_class, {name: [*kind] for name, kind in found.beside.items()}
    index = {name: kind for name, kind in beside.items() if (folder / name).is_dir()} | read_index(folder)
    folders = {name: folder / name for name in index} | shared_parts(folder)
    with damage_named(folder), quiet_libraries():
        # The names that the class itself expects: nothing that a folder says is imported besides.
        made = maker.stock_class(index["_class_name"]) if hasattr(maker, "stock_class") else maker
        known = {name: index[name] for name in inspect.signature(made.__init__).parameters if name in index}
        pipeline = made(**{name: _part(folders[name], value, dtype) for name, value in known.items()})
        pipeline = pipeline if made is maker else maker.of(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _part(folder: Path, value: Any, dtype: torch.dtype) -> Any:
    """A network, a tokenizer, or a setting as it is; the index holds the library and the class of parts."""
    if not (isinstance(value, list) and len(value) == 2 and (value[0] is None or isinstance(value[0], str))):
        return value
    library, name = value
    if library is None:
        return None
    from diffusers import pipelines  # which reading a network without it does not load

    if hasattr(pipelines, library):  # diffusers names classes that stand beside a pipeline by its folder
        library = f"diffusers.pipelines.{library}"
    if library.split(".")[0] not in ("diffusers", "transformers") and not library.startswith("asva"):
        raise ValueError(f"'{folder.name}' is of '{library}', which is none of the libraries that models are of")
    made = getattr(importlib.import_module(library), name)
    if not issubclass(made, nn.Module):
        return made.from_pretrained(folder)
    return outline(made, folder, dtype)


def outline(made: Any, folder: Path, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A network of diffusers or transformers by its folder's configuration, on the meta device."""
    with torch.device("meta"):
        if hasattr(made, "load_config"):
            network = made.from_config(made.load_config(folder))
        else:
            network = made(made.config_class.from_pretrained(folder))
    return network.to("meta", dtype).eval()  # what was made by `torch.Tensor(...)` heeds no device
