"""A folder of networks as others publish it, in the form of diffusers: its files named, its weights read strictly."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from asva_pipelines.loading.hub import cached_folder
from asva_weights import ModelError, read_checkpoint
from asva_weights.key_table import KeyTable
from asva_weights.release import Files, State, blame

# Full precision first; a copy may hold only one of them.
_WEIGHTS = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.bin",
)
_OTHERS = ("tokenizer/vocab.json", "tokenizer/merges.txt", "scheduler/scheduler_config.json")
# Names of the autoencoder's attention in files written before diffusers 0.17.
_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def published_folder(source: Path, name: str, repo: str, wanted_by: str) -> Path:
    """A folder in the source under its published name, or that of its repository in the hub's cache.

    Raises:
        ModelError: If it is in neither place.
    """
    for folder in (source / name, cached_folder(repo, "unet/config.json")):
        if folder is not None and folder.is_dir():
            return folder
    raise ModelError(f"{wanted_by} needs the folder '{name}' (hub id {repo}): put it into '{source}'.")


def folder_files(folder: Path, name: str, parts: Iterable[str], others: Iterable[str] = _OTHERS) -> Files:
    """The files of some networks, of the tokenizer and of the noise schedule, under the folder's published name.

    Args:
        folder: Where they are.
        name: Under which it is published.
        parts: Folders of the networks below it; the empty one is itself a network's.
        others: Further files.

    Raises:
        ModelError: If one is missing.
    """
    wanted = [*others]
    for part in parts:
        weights = next((one for one in _WEIGHTS if (folder / part / one).is_file()), _WEIGHTS[0])
        wanted += [(PurePosixPath(part) / one).as_posix() for one in ("config.json", weights)]
    if lacking := [one for one in wanted if not (folder / one).is_file()]:
        raise ModelError(f"Folder '{folder}' of {name} lacks '{lacking[0]}': copy it there.")
    return {f"{name}/{one}": folder / one for one in wanted}


def read_network(files: Files, name: str, part: str, kind: Any) -> Any:
    """A network of one of the files that :func:`folder_files` found, in the precision in which it is stored.

    Args:
        files: By their published names.
        name: Of the folder.
        part: Of it.
        kind: Class of the network, of diffusers or transformers.

    Raises:
        ModelError: If a file is damaged, or a weight is missing, unknown or of another shape.
    """
    home = PurePosixPath(name) / part
    config, path = sorted(
        (path for key, path in files.items() if PurePosixPath(key).parent == home),
        key=lambda path: path.suffix != ".json",
    )
    with blame(path, f"{part or 'network'} of {name}"):
        config = read_json(config)
        with torch.device("meta"):
            network = (
                kind.from_config(config) if hasattr(kind, "load_config") else kind(kind.config_class.from_dict(config))
            )
        state: State = {ours: value for key, value in read_checkpoint(path).items() if (ours := _todays_name(key))}
        network.load_state_dict(KeyTable().to_ours(state, network.state_dict(), part), assign=True)
    return network.eval()


def read_networks(files: Files, name: str, unet: Any = None) -> dict[str, Any]:
    """Autoencoder and text encoder of a model of words, and its U-Net if a class is given."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextModel

    kinds = {"unet": unet, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}
    return {part: read_network(files, name, part, kind) for part, kind in kinds.items() if kind is not None}


def _todays_name(name: str) -> str | None:
    """Older text encoders have a prefix, and hold the numbers 0 to 76; older attention has other names."""
    for old, new in _OLD_ATTENTION.items():
        if "attentions." in name:
            name = name.replace(old, new)
    name = name.removeprefix("text_model.")
    return None if name == "embeddings.position_ids" else name


def read_tokenizer(files: Files, name: str) -> Any:
    """CLIP's tokenizer of the folder.

    Raises:
        ModelError: If it is damaged.
    """
    from transformers import CLIPTokenizer

    folder = files[f"{name}/tokenizer/vocab.json"].parent
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare exceptions
        raise ModelError(f"The tokenizer '{folder}' of {name} is damaged: fetch it again.") from error


def read_json(path: Path) -> dict[str, Any]:
    """A mapping in a JSON file.

    Raises:
        ModelError: If it is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"'{path}' is damaged: fetch it again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"'{path}' is damaged: fetch it again.")
    return content
