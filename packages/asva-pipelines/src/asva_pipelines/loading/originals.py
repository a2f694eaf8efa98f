"""What a converted folder keeps so that the released files can be given back: weights that no network of ours uses.

The folder ``original`` holds them as safetensors, those that several files share only once, beside a list of every
file's keys, small files as they were, and settings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from asva_weights import ModelError
from asva_weights.release import Release, State

__all__ = ["FOLDER", "original_files", "size_of", "unused_weights", "write_originals"]

FOLDER = "original"
_LIST = "files.json"
_COMMON = "common"
_SHARD = 2_000_000_000
Pieces = Callable[[list[str]], Iterable[tuple[str, State]]]


def unused_weights(release: Release, pieces: Iterable[tuple[str, State]]) -> dict[str, dict[str, Tensor]]:
    """Original weights of each file that the networks do not give back bit by bit."""
    rest = {name: dict(state) for name, state in release.originals.items()}
    for name, piece in pieces:
        for key, tensor in piece.items():
            if key in rest.get(name, {}) and _same(rest[name][key], tensor):
                del rest[name][key]
    return rest


def _same(first: Tensor, second: Tensor) -> bool:
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    return first.is_meta or second.is_meta or torch.equal(first, second)


def size_of(rest: dict[str, dict[str, Tensor]]) -> int:
    """Bytes that the unused weights take at most."""
    return sum(tensor.numel() * tensor.element_size() for state in rest.values() for tensor in state.values())


def write_originals(folder: Path, release: Release, rest: dict[str, dict[str, Tensor]]) -> None:
    """Write the folder ``original`` of a model."""
    home = folder / FOLDER
    home.mkdir()
    common = _common(list(rest.values()))
    listed = {
        "files": {
            name: {"keys": list(state), "settings": release.settings.get(name), "unused": f"unused-{number}"}
            for number, (name, state) in enumerate(release.originals.items())
        },
        "texts": release.texts,
    }
    for number, state in enumerate(rest.values()):
        own = {key: tensor for key, tensor in state.items() if key not in common}
        _save(home, f"unused-{number}", own)
    _save(home, _COMMON, common)
    (home / _LIST).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def _common(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    if len(states) < 2:
        return {}
    first, *others = states
    return {
        key: tensor
        for key, tensor in first.items()
        if all(key in other and _same(tensor, other[key]) for other in others)
    }


def _save(home: Path, name: str, state: dict[str, Tensor]) -> None:
    for number, shard in enumerate(_shards(state)):
        save_file(shard, home / f"{name}-{number:02d}.safetensors", metadata={"format": "pt"})


def _shards(state: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Parts of some 2 GB; a weight that shares its memory with another is copied, as safetensors wants it."""
    shard: dict[str, Tensor] = {}
    size, seen = 0, set()
    for key, tensor in state.items():
        place = tensor.untyped_storage().data_ptr()
        shard[key] = tensor.clone() if place in seen else tensor.contiguous()
        seen.add(place)
        size += tensor.numel() * tensor.element_size()
        if size >= _SHARD:
            yield shard
            shard, size = {}, 0
    if shard:
        yield shard


def original_files(
    folder: Path, pieces: Pieces
) -> tuple[dict[str, tuple[dict[str, Tensor], dict[str, Any] | None]], dict[str, str]]:
    """The released files that a converted folder gives back.

    Args:
        folder: Of the model.
        pieces: Gives the original weights that are in the networks.

    Returns:
        Weights, in their order, and settings of each file by its name; and the small files.

    Raises:
        ModelError: If the folder kept nothing, or is damaged.
    """
    listed = _read_list(folder)
    try:
        unused = {
            name: _load(folder / FOLDER, _COMMON) | _load(folder / FOLDER, entry["unused"])
            for name, entry in listed["files"].items()
        }
    except (OSError, SafetensorError) as error:
        raise ModelError(f"Folder '{folder / FOLDER}' is damaged: convert the released files again.") from error
    states: dict[str, dict[str, Tensor]] = {name: {} for name in unused}
    for name, piece in pieces(list(states)):
        states[name].update(piece)
    files = {}
    for name, entry in listed["files"].items():
        state = states[name] | unused[name]
        if lost := [key for key in entry["keys"] if key not in state]:
            raise ModelError(f"Folder '{folder}' lacks {len(lost)} weights of '{name}', {lost[0]}: convert it again.")
        files[name] = {key: state[key] for key in entry["keys"]}, entry["settings"]
    return files, listed["texts"]


def _read_list(folder: Path) -> dict[str, Any]:
    path = folder / FOLDER / _LIST
    if not path.is_file():
        raise ModelError(
            f"Folder '{folder}' did not keep what its networks do not use, so it cannot be converted back: convert "
            f"the released files with `asva models convert`, without `--lean`."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def _load(home: Path, name: str) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for file in sorted(home.glob(f"{name}-[0-9]*.safetensors")):
        state.update(load_file(file))
    return state
