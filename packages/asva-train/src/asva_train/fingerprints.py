"""Hashes by which stored tokens and the networks that made them know each other."""

import hashlib
import json
from pathlib import Path
from typing import Any

_WITHOUT_EFFECT = ("transformers_version", "dtype", "torch_dtype", "architectures")


def component_hash(folder: Path) -> str:
    """SHA-256 of a component's weights and of what its config says about them.

    Raises:
        ValueError: If it has no weights.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ValueError(f"`model` must hold weights as safetensors, got none in {folder}.")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if not key.startswith("_") and key not in _WITHOUT_EFFECT}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
    for path in weights:
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()


def tokenizer_hash(tokenizer: Any) -> str:
    """SHA-256 of what a tokenizer makes of words."""
    made = [sorted(tokenizer.get_vocab().items()), tokenizer.model_max_length]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()
