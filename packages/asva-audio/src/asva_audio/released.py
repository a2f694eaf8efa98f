"""Audio encoders that were released by themselves: ImageBind's tower and BEATs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_weights import ModelError, read_checkpoint, read_content
from asva_weights.release import Family, Files, Release, Say, blame

IMAGEBIND = "imagebind_huge.pth"


def _find_imagebind(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        return {IMAGEBIND: source} if any(name.startswith("modality_trunks.") for name in content) else None
    return {IMAGEBIND: source / IMAGEBIND} if (source / IMAGEBIND).is_file() else None


def _read_imagebind(files: Files, say: Say) -> Release:
    from asva_audio.weights import read_imagebind

    path = files[IMAGEBIND]
    state = read_checkpoint(path)
    with blame(path, "ImageBind checkpoint"):
        return Release(networks={"encoder": read_imagebind(state)})


def _find_beats(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        return {source.name: source} if {"cfg", "model"} <= content.keys() else None
    found = sorted(path for path in source.glob("BEATs_*.pt") if path.is_file())
    if len(found) > 1:
        raise ModelError(f"Folder '{source}' holds {len(found)} BEATs files: pass one of them.")
    return {found[0].name: found[0]} if found else None


def _read_beats(files: Files, say: Say) -> Release:
    from asva_audio.weights import read_beats

    [path] = files.values()
    content = read_content(path)
    with blame(path, "BEATs checkpoint"):
        encoder = read_beats(content)
    return Release(networks={"encoder": encoder})


IMAGEBIND_AUDIO = Family(
    name="imagebind",
    title="ImageBind's audio encoder",
    wants=f"`{IMAGEBIND}`",
    licence="CC BY-NC-SA 4.0 (no commercial use)",
    find=_find_imagebind,
    read=_read_imagebind,
)
BEATS = Family(
    name="beats",
    title="BEATs",
    wants="`BEATs_iter3.pt`, `BEATs_iter3_plus_AS2M.pt` or their finetuned forms",
    licence="MIT",
    find=_find_beats,
    read=_read_beats,
)
