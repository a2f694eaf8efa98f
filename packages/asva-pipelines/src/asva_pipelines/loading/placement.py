"""Where a pipeline runs, in which precision, and what waits in the main memory."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.loading.memory import free_memory, weights_held
from asva_weights import ModelError

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
STORAGES = ("own", "float8")
_OFFLOADS = ("auto", "none", "model", "sequential", "group")


def choose_device(device: str = "auto") -> torch.device:
    """The device of a name; ``auto`` takes a GPU if there is one.

    Raises:
        ModelError: If the device does not exist here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(f"Device '{device}' is not available here: pass `--device cpu`, or `auto`.") from error
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The precision of a name; ``auto`` is float32, and bfloat16 on GPUs that have it.

    Raises:
        ModelError: If the name is unknown.
    """
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if dtype not in _DTYPES:
        raise ModelError(f"`dtype` must be auto, {', '.join(_DTYPES)}, got '{dtype}'.")
    return _DTYPES[dtype]


def in_dtype(dtype: torch.dtype) -> dict[str, torch.dtype]:
    """The precision as an argument of ``DiffusionPipeline.from_pretrained``, which had another name before 0.40."""
    named = tuple(int(part) for part in version("diffusers").split(".")[:2]) >= (0, 40)
    return {"dtype" if named else "torch_dtype": dtype}


def read_network(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A network in a precision, which diffusers and transformers call by different names."""
    name = "torch_dtype" if hasattr(kind, "load_config") else "dtype"
    return kind.from_pretrained(folder, local_files_only=True, **{name: dtype})


def place(pipeline: Any, device: torch.device, offload: str = "none") -> None:
    """Move a pipeline of diffusers to a device, or let its parts wait in the main memory.

    Raises:
        ModelError: If the offload is not possible.
    """
    check_offload(offload, device)
    if offload == "auto":
        offload = "none" if device.type == "cpu" or _fits(pipeline, device) else "model"
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    elif offload == "group":
        pipeline.enable_group_offload(device, offload_type="leaf_level", use_stream=device.type == "cuda")
    else:
        pipeline.to(device)


def _fits(pipeline: Any, device: torch.device) -> bool:
    """Whether a foreign pipeline's weights leave a third of what is free to its tensors."""
    return weights_held(pipeline) * 1.5 <= free_memory(device)


def check_offload(offload: str, device: torch.device) -> None:
    """Refuse an offload that does not exist or has nowhere to go."""
    if offload not in _OFFLOADS:
        raise ModelError(f"`offload` must be {', '.join(_OFFLOADS)}, got '{offload}'.")
    if offload in ("model", "sequential", "group") and device.type == "cpu":
        raise ModelError(f"`offload` must be none on the CPU, got '{offload}': there is no GPU to take weights from.")
