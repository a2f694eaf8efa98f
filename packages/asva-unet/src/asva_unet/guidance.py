"""Guidance with several conditions, evaluating only the branches that count (KeyVID, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# the order of the original's four calls: which of (text, image, audio) each branch is given
BRANCHES = {
    "none": (False, False, False),
    "image": (False, True, False),
    "image_text": (True, True, False),
    "full": (True, True, True),
}


@dataclass(frozen=True)
class Guidance:
    """Scales of the three guidances and the share of the rescale.

    The guided prediction is ``N + image * (I - N) + text * (IT - I) + audio * (F - IT)`` with N given nothing, I the
    image, IT image and text, F all three. A scale of 1, or None, takes no guidance from that condition; where two
    neighbouring scales are equal the branch between them cancels and is not evaluated.

    Args:
        text: Scale of the prompt.
        image: Scale of the first frame's tokens.
        audio: Scale of the sound.
        rescale: Share, 0 to 1, in which the result takes the standard deviation of F (arXiv 2305.08891, eq. 15-16).

    Raises:
        ValueError: If a scale is not a finite number or `rescale` is outside [0, 1].

    >>> Guidance(text=1.0, image=1.0, audio=2.0).branches
    ('image_text', 'full')
    >>> Guidance(None, None, None).weights
    {'full': 1.0}
    """

    text: float | None = 7.5
    image: float | None = 2.0
    audio: float | None = 7.5
    rescale: float = 0.7

    def __post_init__(self) -> None:
        for name in ("text", "image", "audio"):
            value = 1.0 if getattr(self, name) is None else float(getattr(self, name))
            if not abs(value) < float("inf"):
                raise ValueError(f"`{name}` must be a finite number, got {value}.")
            object.__setattr__(self, name, value)
        if not 0.0 <= self.rescale <= 1.0:
            raise ValueError(f"`rescale` must be between 0 and 1, got {self.rescale}.")

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each branch that counts; they sum to 1. F is kept where the rescale needs it."""
        shares = {
            "none": 1.0 - self.image,
            "image": self.image - self.text,
            "image_text": self.text - self.audio,
            "full": self.audio,
        }
        kept = {name: share for name, share in shares.items() if share != 0.0}
        if self.rescale > 0 and len(kept) > 1:
            kept.setdefault("full", 0.0)
        return kept

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the branches to evaluate, in the original's order."""
        return tuple(self.weights)


def rescale_guidance(guided: Tensor, reference: Tensor, share: float) -> Tensor:
    """Give `guided` the standard deviation of `reference`, per sample, and mix it in by `share`.

    The standard deviation is unbiased and over every axis but the first, as in the original. A sample whose `guided`
    is the same everywhere, as that of a network that still answers zero, has none and is left as it is.

    Args:
        guided: (b, ...) guided prediction.
        reference: (b, ...) prediction under all conditions.
        share: 0 leaves `guided` as it is, 1 replaces it.
    """
    axes = tuple(range(1, guided.ndim))
    deviation = guided.std(dim=axes, keepdim=True)
    ratio = reference.std(dim=axes, keepdim=True) / deviation
    ratio = torch.where(deviation > 0, ratio, torch.ones_like(ratio))
    return guided * (share * ratio + (1 - share))


def guided_prediction(
    predict: Callable[[Tensor, Tensor, tuple[str, ...]], Tensor],
    sample: Tensor,
    timestep: Tensor,
    guidance: Guidance,
    *,
    batched: bool = False,
) -> Tensor:
    """Evaluate the branches that count and combine them.

    Args:
        predict: ``predict(sample, timestep, names)`` answers for the named branches, whose samples follow one another
            along the batch axis: branch by branch, not sample by sample.
        sample: (b, ...) network input.
        timestep: (b,) timesteps.
        guidance: Scales.
        batched: One call for all branches instead of one call each: faster on a device that is not yet busy, at the
            price of memory.

    Returns:
        (b, ...) guided prediction.
    """
    names = guidance.branches
    if batched and len(names) > 1:
        repeats = (len(names), *[1] * (sample.ndim - 1))
        outputs = predict(sample.repeat(repeats), timestep.repeat(len(names)), names).chunk(len(names))
    else:
        outputs = [predict(sample, timestep, (name,)) for name in names]
    return combine(dict(zip(names, outputs, strict=True)), guidance)


def combine(outputs: dict[str, Tensor], guidance: Guidance) -> Tensor:
    """The weighted sum of the branches' outputs, rescaled.

    >>> combine({"image_text": torch.zeros(1, 2), "full": torch.ones(1, 2)}, Guidance(1.0, 1.0, 3.0, rescale=0.0))
    tensor([[3., 3.]])
    """
    weights = guidance.weights
    if len(weights) == 1:
        return next(iter(outputs.values()))
    guided = torch.stack([weight * outputs[name] for name, weight in weights.items() if weight != 0.0]).sum(0)
    if guidance.rescale > 0:
        guided = rescale_guidance(guided, outputs["full"], guidance.rescale)
    return guided
