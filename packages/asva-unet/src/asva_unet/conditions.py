"""Keys and values of every cross attention, computed once per clip and used in every step and every frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LayerConditions:
    """What one cross attention looks at.

    Attributes:
        text: Keys and values (b, m, n, d), the same for all frames.
        image: Keys and values (b, t, m, n, d), or with t = 1 the same for all frames; None leaves the image out.
        audio: Keys and values (b, t, m, n, d), values already multiplied by the gate; None leaves the sound out.
        audio_window: Keys and values (b, t, m, w, d) of each frame's audio window, or with t = 1 all tokens for all
            frames; None leaves the sound out.
    """

    text: KeysValues
    image: KeysValues | None = None
    audio: KeysValues | None = None
    audio_window: KeysValues | None = None


class BatchConditions:
    """Tensors whose axis 0 is the clips of a batch, or the branches of guidance."""

    @property
    def batch_size(self) -> int:
        """Number of clips (or of guidance branches) held."""
        raise NotImplementedError

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply ``function`` to every tensor; axis 0 of each is the batch."""
        raise NotImplementedError

    def expand(self, batch_size: int) -> Self:
        """Repeat a single clip ``batch_size`` times without copying.

        Raises:
            ValueError: If more than one clip is held.
        """
        if self.batch_size not in (1, batch_size):
            raise ValueError(f"`expand` must start from 1 clip or {batch_size} clips, got {self.batch_size}.")
        return self.map(lambda x: x.expand(batch_size, *x.shape[1:]))

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Self:
        """Some of the clips; an integer keeps the batch axis."""
        index = [index] if isinstance(index, int) else index
        return self.map(lambda x: x[index])

    def to(self, *args: Any) -> Self:
        """Move or cast every tensor, as ``Tensor.to``; masks stay bool."""
        return self.map(lambda x: x.to(*args).bool() if x.dtype == torch.bool else x.to(*args))


@dataclass(frozen=True)
class UNetConditions(BatchConditions):
    """Text, image and sound of a batch of clips as the U-Net's layers want them; from ``KeyVIDUNet.encode_conditions``.

    Attributes:
        layers: One entry per cross attention, in the order of the network.
        audio_emb: (b, t, d) share of the sound in the time embedding, or None.
        audio_window_bias: (b, t, w) what is added to the scores of the audio windows: -inf where a window is smaller
            than the largest; None if all are of the same size.
    """

    layers: tuple[LayerConditions, ...]
    audio_emb: Tensor | None = None
    audio_window_bias: Tensor | None = None

    @property
    def batch_size(self) -> int:
        return self.layers[0].text[0].shape[0]

    @property
    def num_frames(self) -> set[int]:
        """Numbers of frames for which tokens are held; tokens that all frames share fit any number."""
        layer = self.layers[0]
        pairs = (pair for pair in (layer.image, layer.audio, layer.audio_window) if pair is not None)
        return {keys.shape[1] for keys, _ in pairs} - {1}

    @staticmethod
    def cat(conditions: Sequence["UNetConditions"]) -> "UNetConditions":
        """Join along the batch axis, for example the branches of guidance.

        Raises:
            ValueError: If ``conditions`` is empty, or one leaves out what another one has.
        """
        if not conditions:
            raise ValueError("`conditions` must hold at least one entry, got none.")
        return _merge(list(conditions), lambda tensors: torch.cat(tensors))

    def map(self, function: Callable[[Tensor], Tensor]) -> "UNetConditions":
        return _merge([self], lambda tensors: function(tensors[0]))


def _merge(conditions: list[UNetConditions], join: Callable[[list[Tensor]], Tensor]) -> UNetConditions:
    layers = zip(*(entry.layers for entry in conditions), strict=True)
    merged = tuple(
        LayerConditions(
            **{
                field.name: _merge_pairs(field.name, [getattr(layer, field.name) for layer in group], join)
                for field in fields(LayerConditions)
            }
        )
        for group in layers
    )
    shared = {
        name: _merge_tensors(name, [getattr(entry, name) for entry in conditions], join)
        for name in ("audio_emb", "audio_window_bias")
    }
    return UNetConditions(merged, **shared)


def _merge_tensors(name: str, tensors: list[Tensor | None], join: Callable) -> Tensor | None:
    _check_alike(name, tensors)
    return None if tensors[0] is None else join(tensors)


def _merge_pairs(name: str, pairs: list[KeysValues | None], join: Callable) -> KeysValues | None:
    _check_alike(name, pairs)
    given = [pair for pair in pairs if pair is not None]
    if not given:
        return None
    sizes = {keys.shape[-2] for keys, _ in given}
    if len(sizes) > 1:
        raise ValueError(f"`{name}` must hold the same number of tokens in all of the conditions, got {sorted(sizes)}.")
    return join([keys for keys, _ in given]), join([values for _, values in given])


def _check_alike(name: str, values: list) -> None:
    if len({value is None for value in values}) > 1:
        raise ValueError(f"`{name}` must be given in all of the conditions or in none, got some of each.")
