"""Clips as latents and tokens that were computed once, so that a training step runs the video network alone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image
from safetensors.torch import load, load_file
from torch import Tensor

from asva_train.fields import DataRecipe
from asva_train.shots import draw_shots, epoch_place
from asva_weights.text import reading, text_lines

if TYPE_CHECKING:  # it knows the networks that make tokens, which a process that reads them does without
    from asva_train.token_sets import TokenSet

FORMAT, UNFINISHED = "asva-latents-1", "asva-latents-1, unfinished"
OF_CLIPS = ("height", "width", "num_frames", "fps", "framing", "stereo", "motion_at", "flip", "motion_scores")
"""Fields of the data's recipe that say what a clip is; the shards have fixed them."""


@dataclass(frozen=True, kw_only=True)
class StoredClip:
    """One clip as shards hold it, in the place of a :class:`TrainingClip`.

    Attributes:
        frames: (t, 2, c, h, w) float16 mean and standard deviation of the latents, not scaled; a latent is drawn anew
            at every step, ``mean + deviation * noise``. Of MTV (t, c, h, w), as its network sees them.
        motion_curve: (t,) motion score of each frame.
        caption: What the clip shows.
        class_index: Index of the class.
        tokens: (n, d) float16 of ``text``, ``image`` (the first frame, before any projector) and of the sound, by the
            names of :meth:`TokenSet.hear`, of each of MTV's tracks (t, layers, d); without those of towers that the
            method or the model had not.
        png: The first frame.
    """

    frames: np.ndarray
    motion_curve: np.ndarray
    caption: str
    class_index: int
    tokens: dict[str, Tensor]
    png: bytes

    @property
    def picture(self) -> np.ndarray:
        """(h, w, 3) uint8, the first frame."""
        return np.array(Image.open(io.BytesIO(self.png)).convert("RGB"))

    def conditions(self, learning: Sequence[str]) -> dict[str, Any]:
        """``caption``, ``picture`` and the tokens of the sound by name: tokens, or what an encoder that learns sees."""
        given: dict[str, Any] = self.tokens | {"caption": self.tokens.get("text"), "picture": self.tokens.get("image")}
        if "text_encoder" in learning:
            given["caption"] = self.caption
        if "image_encoder" in learning:
            given["picture"] = self.picture
        return {name: value for name, value in given.items() if name not in ("text", "image") and value is not None}


class Row(NamedTuple):
    """A line of ``samples.csv``: a piece of a video, and where it lies."""

    key: str
    shard: str
    number: int
    place: int
    class_name: str
    caption: str
    path: str
    tensors: tuple[int, int]
    png: tuple[int, int]


class StoredClips:
    """Clips of a folder that ``asva data precompute`` wrote; every epoch visits each video once.

    With the seed that the shards were made with, they come in the order and with the pieces of a training from the
    videos. A folder with several pieces of each video gives another one each epoch, from the first again at the end.

    Raises:
        ValueError: If there is no such folder, or its clips are others than the recipe's.
    """

    def __init__(self, recipe: DataRecipe):
        self.recipe, self.root = recipe, Path(recipe.root or "")
        self.index = read_index(self.root)
        self._check(self.index["settings"]["data"])
        self.class_names = tuple(self.index["class_names"])
        rows = read_rows(self.root)
        self.pieces = {(row.place, row.number): row for row in rows}
        self.passes = self.index["settings"]["passes"]
        whole = {row.place for row in rows}
        self.places = sorted(p for p in whole if all((p, number) in self.pieces for number in range(self.passes)))
        if recipe.shots is not None:
            names = [self.pieces[place, 0].class_name for place in self.places]
            chosen = draw_shots(names.__getitem__, len(names), self.class_names, recipe.shots, recipe.shots_seed)
            self.places = [self.places[index] for index in chosen]
        if not self.places:
            raise ValueError(f"`data.root` must hold shards with clips, got none in {self.root}.")
        self.num_clips = len(self.places)

    def _check(self, stored: dict[str, Any]) -> None:
        for name in OF_CLIPS:
            value = getattr(self.recipe, name)
            if (str(value) if isinstance(value, Path) else value) != stored[name]:
                raise ValueError(f"`data.{name}` must be {stored[name]}, as in the shards {self.root}, got {value}.")
        for name in ("wrong_sound", "off_screen_sound", "shifted_sound"):
            if getattr(self.recipe, name):
                raise ValueError(f"`data.{name}` must be 0 with stored tokens of the sound.")

    def __getitem__(self, index: int) -> StoredClip:
        row = self._at(index)
        with (self.root / row.shard).open("rb") as file:
            data, png = (_read(file, *span) for span in (row.tensors, row.png))
        tensors = load(data)
        return StoredClip(
            frames=tensors.pop("frames").numpy(),
            motion_curve=tensors.pop("motion").numpy(),
            caption=row.caption,
            class_index=self.class_names.index(row.class_name),
            tokens=tensors,
            png=png,
        )

    def class_at(self, index: int) -> int:
        return self.class_names.index(self._at(index).class_name)

    def _at(self, index: int) -> Row:
        epoch, place = epoch_place(index, len(self.places), self.recipe.seed)
        return self.pieces[self.places[place], epoch % self.passes]

    @property
    def nothing(self) -> dict[str, Tensor]:
        """Tokens of conditions that are left out, by name."""
        return load_file(self.root / "nothing.safetensors")

    def check_tokens(self, wanted: TokenSet) -> None:
        """See that the shards hold the tokens that a training wants.

        Raises:
            ValueError: If they do not.
        """
        type(wanted)(**self.index["settings"]["tokens"]).check_holds(wanted, self.root)

    def check_made_with(self, name: str, found: str, where: Any) -> None:
        """See that a component, by its hash, is the one that the shards were made with.

        Raises:
            ValueError: If it is another one.
        """
        wanted = self.index["settings"]["encoders"].get(name)
        if wanted is None:
            raise ValueError(f"`{name}` must learn with the shards {self.root}, whose model had none.")
        if found != wanted:
            raise ValueError(
                f"`{name}` must be the one that {self.root} was made with (sha256 {wanted[:12]}), got {found[:12]} "
                f"in {where}. Run `asva data precompute` with this model, or train on that one."
            )


def read_index(root: Path, formats: Sequence[str] = (FORMAT,)) -> dict[str, Any]:
    """What a folder of shards says of itself.

    Raises:
        ValueError: If it is of none of the formats.
    """
    try:
        index = json.loads((root / "index.json").read_text(encoding="utf-8"))
        if index["format"] in formats:
            index["settings"].setdefault("tokens", {"method": "keyvid"})  # there was no other at first
            return index
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise ValueError(
        f"`data.root` must be a folder that `asva data precompute` has finished, got {root} without an index."
    )


def read_rows(root: Path) -> list[Row]:
    """The pieces of a folder of shards."""
    table = root / "samples.csv"
    with reading(table, "`data.root` must be a folder that `asva data precompute` has finished"):
        lines = csv.reader(text_lines(table))
        next(lines, None)
        return [_row(line) for line in lines]


def _row(line: list[str]) -> Row:
    key, shard, number, place, class_name, caption, path, *spans = line
    begin, size, png, png_size = map(int, spans)
    return Row(key, shard, int(number), int(place), class_name, caption, path, (begin, size), (png, png_size))


def _read(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise ValueError(f"`data.root` must hold whole shards, got {file.name}, which is cut short.")
    return data
