"""What the released models are made of: files, sizes, homes and licences."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "IMAGEBIND",
    "INTERP_CKPT",
    "KEYFRAME_CKPT",
    "KEYVID_FILES",
    "KEYVID_REPO",
    "MODELS",
    "TOKENIZER_FILES",
    "DownloadPlan",
    "ModelEntry",
    "ModelError",
    "RemoteFile",
]

KEYVID_REPO = "RyanWW/KeyVID"
KEYFRAME_CKPT = "keyframe_generation/epoch=859-step=10320.ckpt"
INTERP_CKPT = "asva_12_kf_interp/epoch=1479-step=17760.ckpt"
IMAGEBIND = "imagebind_huge.pth"

_TOKENIZER_REPO = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
_KEYVID_LICENCE = (
    "Apache-2.0 (KeyVID, DynamiCrafter); holds OpenCLIP weights (MIT) "
    "and ImageBind weights (CC BY-NC-SA 4.0: no commercial use)"
)


class ModelError(ValueError):
    """A model that cannot be found, checked, converted or loaded."""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a model: its home, its size in gigabytes (10^9 bytes) and its licence."""

    repo: str
    path: str
    gigabytes: float
    licence: str

    def __str__(self) -> str:
        size = f"{self.gigabytes:.1f} GB" if self.gigabytes >= 0.05 else f"{self.gigabytes * 1000:.1f} MB"
        return f"{self.repo}: {self.path}, {size}, licence {self.licence}"


@dataclass(frozen=True, kw_only=True)
class DownloadPlan:
    """What must be downloaded before a model can be used."""

    model: str
    files: tuple[RemoteFile, ...]

    @property
    def gigabytes(self) -> float:
        """Size of all files together in 10^9 bytes."""
        return sum(file.gigabytes for file in self.files)


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that has a name here."""

    name: str
    summary: str
    licence: str


KEYVID_FILES = (
    RemoteFile(repo=KEYVID_REPO, path=KEYFRAME_CKPT, gigabytes=15.55, licence=_KEYVID_LICENCE),
    RemoteFile(repo=KEYVID_REPO, path=INTERP_CKPT, gigabytes=15.54, licence=_KEYVID_LICENCE),
)
TOKENIZER_FILES = (
    RemoteFile(repo=_TOKENIZER_REPO, path="vocab.json", gigabytes=0.0009, licence="MIT (OpenCLIP)"),
    RemoteFile(repo=_TOKENIZER_REPO, path="merges.txt", gigabytes=0.0005, licence="MIT (OpenCLIP)"),
)
MODELS = (
    ModelEntry(
        name="tiny",
        summary="bundled, 64x64, 48 frames at 24 fps, knows the synthetic sounds; runs on any CPU",
        licence="Apache-2.0",
    ),
    ModelEntry(
        name="keyvid",
        summary=f"released KeyVID weights ({KEYVID_REPO}), 320x512, 48 frames at 24 fps, AVSync15; 31 GB to download",
        licence=_KEYVID_LICENCE,
    ),
)
