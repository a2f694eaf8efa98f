"""Checkpoints of a run: written whole or not at all, with everything needed to go on exactly."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from asva_weights import read_checkpoint, read_content
from asva_weights.files import full_disk_named

_WEIGHTS, _OPTIMIZER, _STATE = "model.safetensors", "optimizer.pt", "state.json"


def save_checkpoint(
    folder: Path, step: int, weights: dict[str, torch.Tensor], optimizer: dict[str, Any], record: dict, keep: int = 2
) -> Path:
    """Write the state after ``step`` steps to ``folder/step-<step>``.

    Files are written to a temporary folder that is renamed last, so that a folder with the final name is complete.

    Args:
        folder: Folder of the run's checkpoints; made if it is not there.
        step: Optimizer steps done.
        weights: Tensors of the model.
        optimizer: States of optimizer, averaged weights and gradient scaler.
        record: What else belongs to the run, as JSON.
        keep: Number of newest checkpoints that stay.

    Returns:
        The folder of the checkpoint.
    """
    final, temporary = folder / f"step-{step:08d}", folder / f".step-{step:08d}.tmp"
    for left in folder.glob(".step-*.tmp"):  # of a run that was killed
        shutil.rmtree(left)
    temporary.mkdir(parents=True)
    try:
        with full_disk_named(final):
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary / _WEIGHTS)
            torch.save(optimizer, temporary / _OPTIMIZER)
        (temporary / _STATE).write_text(json.dumps({"step": step, **record}, indent=1), encoding="utf-8")
        for path in temporary.iterdir():
            _flush(path)
    except BaseException:
        shutil.rmtree(temporary)
        raise
    shutil.rmtree(final, ignore_errors=True)
    os.replace(temporary, final)
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints in ``folder``, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / _STATE).is_file())


def load_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any], dict[str, Any]]:
    """Weights, optimizer states and record of a checkpoint. Runs no code from the files."""
    optimizer = dict(read_content(folder / _OPTIMIZER))
    return read_checkpoint(folder / _WEIGHTS), optimizer, read_record(folder)


def read_record(folder: Path) -> dict[str, Any]:
    """Record of a checkpoint."""
    return json.loads((folder / _STATE).read_text(encoding="utf-8"))
