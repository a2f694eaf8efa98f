"""How each dataset lies on disk, as the released code of the field expects it (AVSyncD, section 6 of its code)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..clip import MediaError


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the parts of a dataset lie below its folder.

    Attributes:
        name: Its name here.
        videos: Folder of the videos; ``{split}`` is the name of the split.
        lists: "txt" for `train.txt` and `test.txt` with a path in each line (or path,start,end), "vggsound" for the
            table `vggsound.csv` of id, start, label, split, "none" for every video of the folder.
        class_name: The class of every video, or None: that of its folder.
        counts: Videos of each split in the paper; another number is worth a remark, not an error.
        size: Height and width that its models are trained at.
        encodings: File of CLIP text encodings that the released code reads, or None.
    """

    name: str
    videos: str = "videos"
    lists: Literal["txt", "vggsound", "none"] = "txt"
    class_name: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    size: tuple[int, int] = (256, 256)
    encodings: str | None = "class_clip_text_encodings_stable-diffusion-v1-5.pt"


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(name="avsync15", counts={"train": 1350, "test": 150}),
        Layout(name="avsync48", counts={"train": 480, "test": 960}),
        Layout(name="avsync-ac"),
        Layout(name="landscapes", videos="videos/{split}", counts={"train": 900, "test": 100}),
        Layout(
            name="greatest-hits",
            class_name="hitting with a stick",
            counts={"train": 733, "test": 244},
            size=(128, 256),
        ),
        Layout(name="vggss"),
        Layout(name="vggsound", lists="vggsound", encodings=None),
        Layout(name="folder", videos=".", lists="none", encodings=None),
    )
}
"""Layouts by name. AVSync48's lists are not published: bring your own `train.txt` and `test.txt`."""


def get_layout(name: str) -> Layout:
    """A layout by its name.

    Raises:
        MediaError: If there is none of that name.
    """
    if name not in LAYOUTS:
        raise MediaError(f"`layout` must be one of {', '.join(LAYOUTS)}, got {name!r}.")
    return LAYOUTS[name]


def detect_layout(root: Path) -> Layout:
    """The layout that a folder seems to have; those with the same form are told apart by the folder's name.

    Raises:
        MediaError: If `root` is no folder.
    """
    if not root.is_dir():
        raise MediaError(f"`root` must be an existing folder, got {root}.")
    if (root / "vggsound.csv").is_file():
        return LAYOUTS["vggsound"]
    if not any((root / f"{split}.txt").is_file() for split in ("train", "test")):
        return LAYOUTS["folder"]
    if (root / "videos" / "train").is_dir() or (root / "videos" / "test").is_dir():
        return LAYOUTS["landscapes"]
    if any((root / "videos").glob("*_denoised_thumb.mp4")):
        return LAYOUTS["greatest-hits"]
    plain = _plain(root.resolve().name)
    named = [name for name in ("avsync48", "avsync-ac", "vggss") if _plain(name) in plain]
    return LAYOUTS[named[0] if named else "avsync15"]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
