"""Files of LoRA layers: read without running code, and held against the networks that they are for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asva_weights import ModelError, staged

if TYPE_CHECKING:
    from torch import Tensor, nn

LORA_FILE = "pytorch_lora_weights.safetensors"
"""Name that diffusers gives such a file."""


def lora_file(source: str | os.PathLike[str]) -> Path:
    """The file of a folder, a file, or a hub id whose file is in the hub's cache; nothing is downloaded.

    Raises:
        ModelError: If there is none.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        path = path / LORA_FILE
    elif not path.exists() and str(source).count("/") == 1 and not str(source).startswith((".", "/", "~")):
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(str(source), LORA_FILE)
        if not isinstance(cached, str):
            raise ModelError(
                f"LoRA '{source}' must be a folder, or fetched before: `hf download {source} {LORA_FILE}`."
            )
        return Path(cached)
    if not path.is_file():
        raise ModelError(f"LoRA '{source}' must be a folder with {LORA_FILE}, or that file.")
    return path


def read_lora(source: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Layers, and what they say about themselves, of :func:`lora_file`.

    Raises:
        ModelError: If there is no such file, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = lora_file(source)
    try:
        with safe_open(path, framework="pt") as file:
            told = (file.metadata() or {}).get("lora_adapter_metadata")
            state = {key: file.get_tensor(key) for key in file.keys()}
        return state, None if told is None else json.loads(told)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"LoRA '{path.name}' is damaged: fetch or train it again.") from error


def write_lora(folder: str | os.PathLike[str], networks: Mapping[str, Any], adapter_name: str = "default") -> None:
    """Write the LoRA layers of one name into a folder, those of every network that has them.

    Raises:
        ValueError: If none has.
    """
    from diffusers.loaders.lora_base import LoraBaseMixin
    from peft.utils import get_peft_model_state_dict

    state: dict[str, Tensor] = {}
    told: dict[str, Any] = {}
    for name, network in networks.items():
        if adapter_name in getattr(network, "peft_config", {}):
            layers = get_peft_model_state_dict(network, adapter_name=adapter_name)
            state |= {f"{name}.{key}": value.contiguous() for key, value in layers.items()}
            told |= {f"{name}.{key}": value for key, value in network.peft_config[adapter_name].to_dict().items()}
    if not state:
        raise ValueError(f"`adapter_name` must be that of LoRA layers of {', '.join(networks)}, got '{adapter_name}'.")
    Path(folder).mkdir(parents=True, exist_ok=True)
    with staged(Path(folder, LORA_FILE)) as (draft,):
        LoraBaseMixin.write_lora_layers(state, str(draft.parent), True, draft.name, None, True, told)  # ty: ignore[invalid-argument-type]


def check_lora(state: Mapping[str, Tensor], networks: Mapping[str, nn.Module]) -> None:
    """See that layers are for these networks; those in another form than PEFT's are left to diffusers.

    Raises:
        ValueError: If a layer is of another network, of a layer that it has not, or of another shape.
    """
    if foreign := sorted({key.partition(".")[0] for key in state} - networks.keys()):
        known = ", ".join(networks) or "a pipeline with a network that takes it"
        raise ValueError(f"`lora` must be of {known}, got layers of {foreign[0]}.")
    for key, value in state.items():
        layer, mark, which = key.rpartition(".lora_")
        if not mark or which not in ("A.weight", "B.weight"):
            continue
        name, _, place = layer.partition(".")
        try:
            module: Any = networks[name].get_submodule(place)
        except AttributeError:
            raise ValueError(f"`lora` must be of this model, got a layer for '{layer}', which it has not.") from None
        side, given = ("in_features", value.shape[1]) if which[0] == "A" else ("out_features", value.shape[0])
        if getattr(module, side, given) != given:
            wanted = getattr(module, side)
            raise ValueError(f"`lora` must be of this model, got {given} channels for '{layer}' of {wanted}.")
