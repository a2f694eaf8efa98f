"""Networks that know how they were configured, read from a folder without diffusers, whose import outlasts torch's."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Self

from safetensors.torch import load_file
from torch import nn


def configured(init: Callable[..., None]) -> Callable[..., None]:
    """An ``__init__`` that keeps its arguments as the network's ``config``, as diffusers' decorator does it."""

    @wraps(init)
    def keep(self: Any, *args: Any, **kwargs: Any) -> None:
        if "_internal_dict" not in self.__dict__:  # diffusers has been there
            given = inspect.signature(init).bind(self, *args, **kwargs)
            given.apply_defaults()
            self.__dict__["_internal_dict"] = dict(list(given.arguments.items())[1:])
        init(self, *args, **kwargs)

    return keep


class ConfiguredNetwork(nn.Module):
    """A network in the folder layout of diffusers: ``config.json`` beside ``diffusion_pytorch_model.safetensors``.

    A class that is also a diffusers model derives from this one first and registers the same ``__init__`` there.

    >>> class Line(ConfiguredNetwork):
    ...     @configured
    ...     def __init__(self, width: int = 2) -> None:
    ...         super().__init__()
    ...         self.layer = nn.Linear(width, 1)
    >>> Line(3).config
    {'width': 3}
    """

    @property
    def config(self) -> dict[str, Any]:
        """Arguments of ``__init__``."""
        return self.__dict__["_internal_dict"]

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> Self:
        """The network of a folder on the CPU in float32, ready to be used.

        Raises:
            OSError: If a file is missing.
            RuntimeError: If a weight is missing, unknown, or of another shape.
        """
        config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
        network = cls(**{name: value for name, value in config.items() if not name.startswith("_")})
        network.load_state_dict(load_file(Path(folder, "diffusion_pytorch_model.safetensors")))
        return network.float().eval()
