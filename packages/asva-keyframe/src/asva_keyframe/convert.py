"""Names of the original localizer's checkpoint, strict both ways."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from asva_audio import convert_imagebind_audio, invert_imagebind_audio, split_imagebind
from asva_keyframe.localizer_network import OfficialHead
from asva_weights import KeyTable, shape_of
from asva_weights.key_table import below

ENCODER_PREFIX = "imagebindMoodel."  # spelt so in the original
HEAD_TABLE = KeyTable(
    ((r"^to_frames\.", "linear1."), (r"^to_bottleneck\.", "linear2."), (r"^to_scores\.", "linear3.")),
    unused="ada_weight|ada_bias",  # parameters that the original declares and never uses
)


def split_localizer(state_dict: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Part an original checkpoint into what the localizer uses and what it never reads.

    Returns:
        Original keys and tensors of the used part, and of the rest (other modalities, heads, unused parameters).

    Raises:
        ConversionError: If a key is missing or unknown, or a shape is another.
    """
    _, others = split_imagebind(state_dict, prefix=ENCODER_PREFIX)
    rest = {ENCODER_PREFIX + key: value for key, value in others.items()} | HEAD_TABLE.rest(state_dict)
    convert_localizer(state_dict)  # says what is missing or unknown
    return {key: value for key, value in state_dict.items() if key not in rest}, rest


def convert_localizer(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an original checkpoint for `MotionLocalizer` with the official head.

    Args:
        state_dict: The original's ``state_dict``.

    Returns:
        State for ``load_state_dict(strict=True)``.

    Raises:
        ConversionError: If a key is missing or unknown, or a shape is another.
    """
    what = "localizer"
    theirs = {key: value for key, value in state_dict.items() if not key.startswith(ENCODER_PREFIX)}
    num_frames, num_tokens = shape_of(theirs, "linear1.weight", what, 2)
    bottleneck, width = shape_of(theirs, "linear2.weight", what, 2)
    with torch.device("meta"):
        like = OfficialHead(num_tokens, num_frames, width, bottleneck).state_dict()
    head = HEAD_TABLE.to_ours(theirs, like, f"The {what}")
    encoder = convert_imagebind_audio(state_dict, prefix=ENCODER_PREFIX)
    return {f"encoder.{key}": value for key, value in encoder.items()} | {
        f"predictor.{key}": value for key, value in head.items()
    }


def invert_localizer(
    state_dict: Mapping[str, Tensor], *, rest: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Inverse of `convert_localizer`.

    Args:
        state_dict: State of a `MotionLocalizer` with the official head.
        rest: What `split_localizer` left over, put back so that the original loads the result strictly.

    Raises:
        ConversionError: If a key is missing or unknown.
    """
    encoder = invert_imagebind_audio(below(state_dict, "encoder."), prefix=ENCODER_PREFIX)
    original = encoder | HEAD_TABLE.to_original(below(state_dict, "predictor."))
    convert_localizer(original)  # says what is missing or unknown
    return original | dict(rest or {})
