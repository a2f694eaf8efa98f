"""Files of released models: their home, size and licence."""

from __future__ import annotations

from dataclasses import dataclass


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
