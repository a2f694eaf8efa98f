"""Guidance with several conditions, evaluating only the branches that count (KeyVID, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

# the order of the original's four calls: which of (text, image, audio) each branch is given
BRANCHES = {
    "none": (False, False, False),
    "image": (False, True, False),
    "image_text": (True, True, False),
    "full": (True, True, True),
}


SCALES = ("text", "image", "audio")


class WeightedBranches:
    """What guidance is, whatever the conditions: answers under some of them, each with its weight."""

    if TYPE_CHECKING:

        @property
        def rescale(self) -> float: ...

    @property
    def weights(self) -> dict[str, float | Tensor]:
        """Weight of each branch that counts; they sum to 1."""
        raise NotImplementedError

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the branches to evaluate."""
        return tuple(self.weights)


@dataclass(frozen=True)
class Unguided(WeightedBranches):
    """The answer under all conditions, in one call.

    >>> Unguided().branches
    ('full',)
    """

    rescale: float = 0.0

    @property
    def weights(self) -> dict[str, float | Tensor]:
        """All of it on the answer under all conditions."""
        return {"full": 1.0}


@dataclass(frozen=True)
class Guidance(WeightedBranches):
    """Scales of the three guidances and the share of the rescale.

    The guided prediction is ``N + image * (I - N) + text * (IT - I) + audio * (F - IT)`` with N given nothing, I the
    image, IT image and text, F all three. A scale of 1, or None, takes no guidance from that condition; where two
    neighbouring scales are equal the branch between them cancels and is not evaluated. A scale may differ from frame to
    frame: then it is a tensor (t,) or (b, t), and the predictions are (b, t, c, h, w).

    Args:
        text: Scale of the prompt.
        image: Scale of the first frame's tokens.
        audio: Scale of the sound.
        rescale: Share, 0 to 1, in which the result takes the standard deviation of F (arXiv 2305.08891, eq. 15-16).

    Raises:
        ValueError: If a scale is not finite numbers or `rescale` is outside [0, 1].

    >>> Guidance(text=1.0, image=1.0, audio=2.0).branches
    ('image_text', 'full')
    >>> Guidance(None, None, None).weights
    {'full': 1.0}
    """

    text: float | Tensor | None = 7.5
    image: float | Tensor | None = 2.0
    audio: float | Tensor | None = 7.5
    rescale: float = 0.7

    def __post_init__(self) -> None:
        for name in SCALES:
            object.__setattr__(self, name, checked_scale(getattr(self, name), name))
        if not 0.0 <= self.rescale <= 1.0:
            raise ValueError(f"`rescale` must be between 0 and 1, got {self.rescale}.")

    def at(self, frame_indices: Tensor) -> Guidance:
        """The same for frames (t,) or (b, t) out of those that the scales are of."""
        return replace(self, **{name: scale_at(getattr(self, name), frame_indices) for name in SCALES})

    @property
    def weights(self) -> dict[str, float | Tensor]:
        """Weight of each branch that counts; they sum to 1. F is kept where the rescale needs it."""
        text, image, audio = (getattr(self, name) for name in SCALES)
        shares = {"none": 1.0 - image, "image": image - text, "image_text": text - audio, "full": audio}
        kept = {name: share for name, share in shares.items() if counts(share)}
        if self.rescale > 0 and len(kept) > 1:
            kept.setdefault("full", 0.0)
        return kept


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
    guidance: WeightedBranches,
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


def combine(outputs: dict[str, Tensor], guidance: WeightedBranches) -> Tensor:
    """The weighted sum of the branches' outputs, rescaled.

    >>> combine({"image_text": torch.zeros(1, 2), "full": torch.ones(1, 2)}, Guidance(1.0, 1.0, 3.0, rescale=0.0))
    tensor([[3., 3.]])
    """
    weights = guidance.weights
    if len(weights) == 1:
        return next(iter(outputs.values()))
    weighted = [_per_frame(weight, outputs[name]) * outputs[name] for name, weight in weights.items() if counts(weight)]
    guided = torch.stack(weighted).sum(0)
    if guidance.rescale > 0:
        guided = rescale_guidance(guided, outputs["full"], guidance.rescale)
    return guided


def checked_scale(scale: float | Tensor | None, name: str) -> float | Tensor:
    """A scale as a number or as float32 numbers of frames; None is 1.

    Raises:
        ValueError: If it is not finite, or a tensor of another shape.
    """
    if isinstance(scale, Tensor) and scale.ndim:
        if scale.ndim > 2 or not scale.isfinite().all():
            raise ValueError(f"`{name}` must be finite numbers (t,) or (b, t), got shape {tuple(scale.shape)}.")
        return scale.float()
    value = 1.0 if scale is None else float(scale)
    if not abs(value) < float("inf"):
        raise ValueError(f"`{name}` must be a finite number, got {value}.")
    return value


def scale_at(scale: float | Tensor, frame_indices: Tensor) -> float | Tensor:
    """A scale for some frames (t,) or (b, t) out of those that it is of; a number is of all."""
    if not isinstance(scale, Tensor):
        return scale
    indices = frame_indices.to(scale.device)
    if scale.ndim == 1 or indices.ndim == 1:
        return scale[..., indices]
    return scale.expand(len(indices), -1).gather(1, indices)


def counts(share: float | Tensor) -> bool:
    """Whether a weight is other than nothing, in some frame at least."""
    return bool((share != 0.0).any()) if isinstance(share, Tensor) else share != 0.0


def _per_frame(weight: float | Tensor, output: Tensor) -> float | Tensor:
    """A weight that can be multiplied with predictions (b, t, c, h, w)."""
    return weight[..., None, None, None].to(output) if isinstance(weight, Tensor) else weight
