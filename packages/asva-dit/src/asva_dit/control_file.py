"""Control weights in a file of their own, so that a base of many gigabytes is stored once."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffusers import CogVideoXTransformer3DModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from asva_weights import staged
from asva_weights.text import reading

FORMAT = "asva-dit control 1"


def is_control(name: str) -> bool:
    """Whether a weight of this name is MTV's, not the base's.

    >>> is_control("transformer_blocks.3.control.effects.to_q.weight"), is_control("proj_out.weight")
    (True, False)
    """
    return "control" in name.split(".")


def base_arguments() -> tuple[str, ...]:
    """Names of the base's own arguments."""
    return tuple(inspect.signature(CogVideoXTransformer3DModel.__init__).parameters)[1:]


def control_arguments(cls: type[CogVideoXTransformer3DModel]) -> tuple[str, ...]:
    """Names of the arguments that are MTV's, not the base's."""
    return tuple(name for name in tuple(inspect.signature(cls.__init__).parameters)[1:] if name not in base_arguments())


def control_config(model: CogVideoXTransformer3DModel) -> dict[str, Any]:
    """The arguments of MTV with which the model was built."""
    return {name: model.config[name] for name in control_arguments(type(model))}


def save_control(model: CogVideoXTransformer3DModel, path: str | os.PathLike[str], trained: Sequence[str] = ()) -> None:
    """The work of ``MTVTransformer3DModel.save_control``; the file is written under another name and moved."""
    state = model.state_dict()
    if unknown := sorted(set(trained) - set(state)):
        raise ValueError(f"`trained` must name weights of the model, got {unknown[:3]}.")
    kept = {name: tensor.contiguous() for name, tensor in state.items() if is_control(name) or name in set(trained)}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with staged(path) as (draft,):
        save_file(kept, draft, metadata={"format": FORMAT, "config": json.dumps(control_config(model))})


def read_control_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arguments of MTV that a control file was saved with.

    Raises:
        ValueError: If it is no control file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"`path` must name a control file, got '{path}', which does not exist.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"`path` must be a whole safetensors file, got '{path}', which is damaged.") from error
    if metadata.get("format") != FORMAT:
        raise ValueError(f"`path` must be written by `save_control`, got '{path}', which is not.")
    with reading(path, "`path` must hold the configuration of a control"):
        return json.loads(metadata["config"])


def load_control(model: CogVideoXTransformer3DModel, path: str | os.PathLike[str]) -> None:
    """The work of ``MTVTransformer3DModel.load_control``."""
    theirs, ours = read_control_config(path), control_config(model)
    if different := {name: theirs.get(name) for name in ours if theirs.get(name) != ours[name] and name != "zero_init"}:
        raise ValueError(
            f"`path` must hold a control of the model's configuration, got {different} in '{path}'; "
            "`from_control` builds the model that fits."
        )
    state = model.state_dict()
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        wanted = {name for name in state if is_control(name)}
        if missing := sorted(wanted - names) or sorted(names - set(state)):
            raise ValueError(f"`path` must hold the weights of this control and base, got '{path}': {missing[:3]}.")
        wrong = [name for name in names if tuple(file.get_slice(name).get_shape()) != tuple(state[name].shape)]
        if wrong:
            raise ValueError(f"`path` must hold a control of this base's size, got '{path}': {sorted(wrong)[:3]}.")
        for name in sorted(names):
            state[name].copy_(file.get_tensor(name))
