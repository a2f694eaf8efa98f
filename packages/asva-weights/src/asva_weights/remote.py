"""Files of released models: their home, size, licence and, where it is known, content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a model.

    Attributes:
        repo: Its home.
        path: Its name there.
        gigabytes: Its size in 10^9 bytes.
        licence: Of its content.
        revision: Commit of its home that is taken; the newest if None.
        sha256: Hash of its content; None where it is not known.
    """

    repo: str
    path: str
    gigabytes: float
    licence: str
    revision: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        return f"{self.repo}: {self.path}, {size_text(self.gigabytes)}, licence {self.licence}"


@dataclass(frozen=True, kw_only=True)
class DownloadPlan:
    """What must be downloaded before a model can be used."""

    model: str
    files: tuple[RemoteFile, ...]

    @property
    def gigabytes(self) -> float:
        """Size of all files together in 10^9 bytes."""
        return sum(file.gigabytes for file in self.files)

    @property
    def size(self) -> str:
        """The same in words."""
        return size_text(self.gigabytes)


def size_text(gigabytes: float) -> str:
    """A size of 10^9 bytes for people.

    >>> size_text(15.55), size_text(0.0014)
    ('15.6 GB', '1.4 MB')
    """
    return f"{gigabytes:.1f} GB" if gigabytes >= 0.05 else f"{gigabytes * 1000:.1f} MB"
