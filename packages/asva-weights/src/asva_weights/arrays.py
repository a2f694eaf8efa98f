"""Weights that were stored as numpy arrays in a pickle, read without running any of it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asva_weights.errors import ConversionError

_RECONSTRUCT = "numpy.core.multiarray._reconstruct"


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The arrays of numbers in a file of :func:`torch.save`, by name.

    Nothing but numpy's own way to build an array is allowed; whatever else stands in the file stops the reading.

    Raises:
        ConversionError: If the file is missing or damaged, would run code, or holds anything but arrays of numbers.
    """
    path = Path(path)
    # What the pickle calls, and the class of the kind of number, which numpy makes itself.
    rebuild = np.zeros(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8")]
    allowed = [(rebuild, _RECONSTRUCT), (rebuild, "numpy._core.multiarray._reconstruct"), np.ndarray, np.dtype, *kinds]
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConversionError(f"A checkpoint must be a file, got '{path}', which does not exist.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ConversionError(f"A checkpoint must hold arrays alone, got '{path}': it was not loaded.") from error
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray) and value.dtype.kind in "fi"
        for name, value in content.items()
    ):
        raise ConversionError(f"A checkpoint must hold arrays of numbers by name, got '{path}', which does not.")
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in content.items()}
