"""Guidance over text and sound apart from each other, by up to three predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

SILENCES = ("zeros", "off")


@dataclass(frozen=True)
class MTVGuidance:
    """Scales of text and sound.

    The guided prediction is ``N + text * (T - N) + audio * (F - T)``: N is given nothing, T the text, F text and sound.
    Where both scales are equal T cancels: the published guidance is one scale of 3.5 for both, in two predictions. (Its
    "dynamic" scale is computed and then overwritten by 3.5.)

    Args:
        text: Scale of the text, 1 for no guidance from it.
        audio: Scale of the sound, 1 for no guidance from it.
        silence: What N and T hear: ``"zeros"``, features of zeros in all tracks, which training has seen where it
            drops the sound, as published; ``"off"``, the network with its audio layers left out, which is the base.

    Raises:
        ValueError: If a scale is not a finite number, or `silence` is another.

    >>> MTVGuidance().weights
    {'none': -2.5, 'full': 3.5}
    >>> MTVGuidance(text=5.0, audio=4.0).branches
    ('none', 'text', 'full')
    """

    text: float = 3.5
    audio: float = 3.5
    silence: str = "zeros"

    def __post_init__(self) -> None:
        for name in ("text", "audio"):
            if not abs(float(getattr(self, name))) < float("inf"):
                raise ValueError(f"`{name}` must be a finite number, got {getattr(self, name)}.")
        if self.silence not in SILENCES:
            raise ValueError(f"`silence` must be one of {SILENCES}, got {self.silence!r}.")

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each prediction that counts; they sum to 1."""
        shares = {"none": 1.0 - self.text, "text": self.text - self.audio, "full": float(self.audio)}
        return {name: share for name, share in shares.items() if share != 0.0}

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the predictions to make, in order."""
        return tuple(self.weights)

    def hears(self, branch: str) -> str:
        """What the sound of a branch is: ``"given"``, ``"zeros"`` or ``"off"``."""
        return "given" if branch == "full" else self.silence


def mtv_guidance(predictions: Mapping[str, Tensor], guidance: MTVGuidance) -> Tensor:
    """Combine the predictions of ``guidance.branches``.

    Args:
        predictions: (b, ...) prediction of each branch by its name.
        guidance: Scales.

    Raises:
        ValueError: If a branch is missing.

    >>> import torch
    >>> mtv_guidance({"none": torch.zeros(2), "full": torch.ones(2)}, MTVGuidance())
    tensor([3.5000, 3.5000])
    """
    weights = guidance.weights
    if missing := sorted(set(weights) - set(predictions)):
        raise ValueError(f"`predictions` must hold the branches {guidance.branches}, got none for {missing}.")
    return reduce(torch.add, (weight * predictions[name] for name, weight in weights.items()))
