"""How large a model is, and how much memory a prediction takes, without making it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from asva_dit.control_file import is_control
from asva_dit.transformer import MTVTransformer3DModel
from asva_dit.validation import latent_frames

# Tensors as wide and long as all tokens that are alive at once where a prediction needs most: in the attention, whose
# rotary embedding works in float32. Found by following every tensor of one at full size (torch's MemTracker): 14.96.
LIVE_TENSORS = 15
GIB = 2**30


class ParameterCounts(NamedTuple):
    """Weights of each part."""

    base: int
    projections: int
    interaction: int
    injection: int

    @property
    def control(self) -> int:
        """All that MTV adds."""
        return self.projections + self.interaction + self.injection


class MemoryEstimate(NamedTuple):
    """Memory of a prediction in GiB."""

    weights: float
    activations: float

    @property
    def total(self) -> float:
        """Weights and activations."""
        return self.weights + self.activations


def count_parameters(model: MTVTransformer3DModel) -> ParameterCounts:
    """Weights of each part of a model, which may live on the meta device."""
    counts = dict.fromkeys(ParameterCounts._fields, 0)
    for name, parameter in model.named_parameters():
        part = "base"
        if is_control(name):
            inside = name.startswith("control.interaction.")
            part = "injection" if name.startswith("transformer_blocks.") else "interaction" if inside else "projections"
        counts[part] += parameter.numel()
    return ParameterCounts(**counts)


def predict_memory(
    config: dict[str, Any],
    *,
    num_frames: int = 49,
    height: int = 480,
    width: int = 720,
    batch_size: int = 1,
    dtype: torch.dtype = torch.bfloat16,
) -> MemoryEstimate:
    """Memory of one prediction without gradients, all weights in place and attention that keeps no scores.

    Args:
        config: Arguments of ``MTVTransformer3DModel``, as of ``mtv_config``.
        num_frames: Video frames, 4k + 1.
        height, width: Pixels; a latent is 8 of them.
        batch_size: Clips and branches of guidance in one call.
        dtype: Type of weights and activations.

    Raises:
        ValueError: If `num_frames` is not 4k + 1, or `height` or `width` no multiple of 16.
    """
    if height % 16 or width % 16:
        raise ValueError(f"`height` and `width` must be multiples of 16, got {(height, width)}.")
    with torch.device("meta"):
        model = MTVTransformer3DModel(**config)
    bytes_each = torch.empty((), dtype=dtype).element_size()
    weights = sum(tensor.numel() for tensor in model.state_dict().values()) * bytes_each
    tokens = latent_frames(num_frames) * (height // 16) * (width // 16) + model.config.max_text_seq_length
    dim = model.config.num_attention_heads * model.config.attention_head_dim
    return MemoryEstimate(weights / GIB, LIVE_TENSORS * batch_size * tokens * dim * bytes_each / GIB)
