"""Keys and values of text and sound, computed once per clip, of those tokens only that a frame attends to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asva_unet.conditions import BatchConditions, KeysValues


@dataclass(frozen=True)
class KeptTokens:
    """Which tokens the frames of a clip keep.

    Attributes:
        indices: (b, t, k) indices of the kept tokens in their order; padded with any other index.
        mask: (b, t, 1, k) bool, True = attend; None where nothing is padded.
    """

    indices: Tensor
    mask: Tensor | None

    @staticmethod
    def of(audio_mask: Tensor, batch_size: int) -> "KeptTokens | None":
        """From a bool mask (t, l) or (b, t, l), True = attend; None where every frame keeps every token.

        Raises:
            ValueError: If a frame keeps no token.
        """
        counts = audio_mask.sum(-1)
        least, most = (int(count) for count in torch.aminmax(counts))
        if least == 0:
            frame = (counts == 0).nonzero()[0, -1].item()
            raise ValueError(f"`audio_mask` must leave every frame at least one token, got none for frame {frame}.")
        if least == audio_mask.shape[-1]:
            return None
        indices = audio_mask.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[..., :most]
        indices = indices.expand(batch_size, *indices.shape[-2:])
        if least == most:
            return KeptTokens(indices, None)
        mask = torch.arange(most, device=counts.device) < counts[..., None]
        return KeptTokens(indices, mask.expand(batch_size, *mask.shape[-2:])[:, :, None])

    def gather(self, x: Tensor) -> Tensor:
        """The kept of (b, l, c) or (b, t, l, c) tokens: (b, t, k, c)."""
        if x.ndim == 4:
            return x.take_along_dim(self.indices[..., None], dim=2)
        return x[torch.arange(len(x), device=x.device)[:, None, None], self.indices]


@dataclass(frozen=True)
class AVSyncDConditions(BatchConditions):
    """Text and sound of a batch of clips as the layers want them; from ``AVSyncDUNet.encode_conditions``.

    Attributes:
        text: Keys and values of each transformer, in the order of the network: (b, m, n, d), the same for all frames,
            or (b, t, m, n, d).
        audio: The same for sound; None in a network without.
        audio_mask: (b, t, 1, k) bool, True = attend; None where the frames keep equally many tokens.
    """

    text: tuple[KeysValues, ...]
    audio: tuple[KeysValues, ...] | None = None
    audio_mask: Tensor | None = None

    @property
    def batch_size(self) -> int:
        return self.text[0][0].shape[0]

    @property
    def num_frames(self) -> int | None:
        """Number of frames that the tokens belong to; None if they are the same for all frames."""
        pairs = (self.text, self.audio or ())
        return next((pair[0][0].shape[1] for pair in pairs if pair and pair[0][0].ndim == 5), None)

    @staticmethod
    def cat(conditions: Sequence["AVSyncDConditions"]) -> "AVSyncDConditions":
        """Join along the batch axis, for example the branches of guidance.

        Raises:
            ValueError: If ``conditions`` is empty, or they differ in more than their clips.
        """
        if not conditions:
            raise ValueError("`conditions` must hold at least one entry, got none.")
        shapes = [_shapes(entry) for entry in conditions]
        if any(other != shapes[0] for other in shapes):
            raise ValueError(
                "`conditions` must agree in their numbers of tokens and in their audio masks, got different ones; "
                "encode every branch with the same mask."
            )
        return _merge(list(conditions), torch.cat)

    def map(self, function: Callable[[Tensor], Tensor]) -> "AVSyncDConditions":
        return _merge([self], lambda tensors: function(tensors[0]))


def _merge(conditions: list[AVSyncDConditions], join: Callable[[list[Tensor]], Tensor]) -> AVSyncDConditions:
    def merged(layers: list[tuple[KeysValues, ...] | None]) -> tuple[KeysValues, ...] | None:
        if layers[0] is None:
            return None
        return tuple(
            (join([key for key, _ in pairs]), join([value for _, value in pairs]))
            for pairs in zip(*layers, strict=True)
        )

    masks = [entry.audio_mask for entry in conditions]
    return AVSyncDConditions(
        merged([entry.text for entry in conditions]),
        merged([entry.audio for entry in conditions]),
        None if masks[0] is None else join(masks),
    )


def _shapes(conditions: AVSyncDConditions) -> tuple:
    """What must be alike in conditions that are joined."""
    mask = conditions.audio_mask
    audio = None if conditions.audio is None else conditions.audio[0][0].shape[1:]
    return conditions.text[0][0].shape[1:], audio, None if mask is None else mask.shape[1:]
