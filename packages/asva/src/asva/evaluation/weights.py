"""Networks of the scores whose weights the user gives as NAME=PATH; each is loaded when first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


class WeightsError(ValueError):
    """Weights that cannot be used; one line that names the file and the mend."""


@dataclass(frozen=True)
class Kind:
    """One kind of weights: what it is and how it is read."""

    what: str
    load: Callable[[Path], Any]


def _network(family: str) -> Callable[[Path], Any]:
    def load(path: Path) -> Any:
        from asva_metrics import load_network

        return load_network(path, family)

    return load


def _imagebind(path: Path) -> Any:
    from asva_metrics import load_imagebind

    return load_imagebind(path)


def _tokenizer(path: Path) -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(path, local_files_only=True)


def _clip(path: Path) -> Any:
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(path, local_files_only=True).eval()


KINDS: dict[str, Kind] = {
    "inception": Kind("Inception of FID, pt_inception-2015-12-05-6726825d.pth", _network("inception")),
    "i3d": Kind("I3D of FVD, i3d_torchscript.pt", _network("i3d")),
    "imagebind": Kind("ImageBind, imagebind_huge.pth (non-commercial use)", _imagebind),
    "avsync": Kind("AVSync classifier, the folder `modules` of its checkpoint", _network("avsync")),
    "tokenizer": Kind("CLIP's tokenizer, a folder with vocab.json and merges.txt", _tokenizer),
    "clip": Kind("CLIP, a folder of transformers' CLIPModel such as openai/clip-vit-base-patch32", _clip),
}


class Networks:
    """Networks by name, loaded when first asked for.

    Args:
        paths: Files and folders by name, see `KINDS`.
        device: Where they run.
        digests: Hashes of the files, if they are known already.

    Raises:
        WeightsError: If a name is unknown or a path does not exist.
    """

    def __init__(
        self, paths: Mapping[str, Path] | None = None, device: str = "cpu", digests: Mapping[str, str] | None = None
    ) -> None:
        self.paths, self.device = {name: Path(path) for name, path in (paths or {}).items()}, device
        self._given, self._loaded = digests, {}
        for name, path in self.paths.items():
            if name not in KINDS:
                raise WeightsError(f"`weights` must be named one of {', '.join(KINDS)}, got {name}.")
            if not path.exists():
                raise WeightsError(f"`weights` must be existing files, got {name}={path}.")

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, or of all files of a folder."""
        return dict(self._given) if self._given is not None else {n: _digest(p) for n, p in self.paths.items()}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            try:
                network = KINDS[name].load(self.paths[name])
            except (ValueError, OSError) as error:
                raise WeightsError(f"`weights` {name}={self.paths[name]}: {error}") from error
            self._loaded[name] = network.to(self.device) if hasattr(network, "to") else network
        return self._loaded[name]

    def missing(self, names: tuple[str, ...]) -> list[str]:
        """Those of some names that were not given."""
        return [name for name in names if name not in self.paths]


def _digest(path: Path) -> str:
    import hashlib

    from asva.outputs import file_digest

    if path.is_file():
        return file_digest(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    parts = "".join(f"{file.relative_to(path)} {file_digest(file)}\n" for file in files)
    return hashlib.sha256(parts.encode()).hexdigest()
