"""The audio encoder folder of an AVSyncD checkpoint <-> ImageBind's names, strict both ways."""

from collections.abc import Mapping

import torch
from torch import Tensor

from asva_audio.convert import convert_imagebind_audio, invert_imagebind_audio, split_imagebind

# theirs -> ImageBind's
PREFIXES = {
    "preprocessor.": "modality_preprocessors.audio.",
    "trunk.": "modality_trunks.audio.",
    "head.": "modality_heads.audio.",
    "postprocessor.": "modality_postprocessors.audio.",
}
FINAL_NORM = ("final_layer_norm.weight", "final_layer_norm.bias")


def convert_avsyncd_audio(state_dict: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of :class:`asva_audio.ImageBindAudioEncoder` (``stride=10``) from ``modules/audio_encoder`` of AVSyncD.

    The released pipeline takes the encoder from ImageBind instead, with the same result: it was frozen.

    Args:
        state_dict: The folder's weights.

    Returns:
        State of the encoder, and the rest (contrastive head) under ImageBind's names.

    Raises:
        ValueError: If a key is missing or unknown, or the final norm has weights: :func:`asva_audio.segment_tokens`
            applies the plain one that was never trained.
    """
    if missing := [key for key in FINAL_NORM if key not in state_dict]:
        raise ValueError(f"`state_dict` must be an audio encoder of AVSyncD, got none of {missing}.")
    weight, bias = (state_dict[key] for key in FINAL_NORM)
    if not weight.is_meta and not (torch.all(weight == 1) and torch.all(bias == 0)):
        raise ValueError("`state_dict` must have a final norm of ones and zeros, got a trained one.")
    renamed = {_renamed(key): value for key, value in state_dict.items() if key not in FINAL_NORM}
    _, rest = split_imagebind(renamed)
    return convert_imagebind_audio(renamed), rest


def invert_avsyncd_audio(state_dict: Mapping[str, Tensor], rest: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of :func:`convert_avsyncd_audio`: the names of the original, for use by the original code.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    theirs = {new: old for old, new in PREFIXES.items()}
    state = {}
    for key, value in invert_imagebind_audio(state_dict, rest=rest).items():
        prefix = next((prefix for prefix in theirs if key.startswith(prefix)), None)
        if prefix is None:
            raise ValueError(f"`rest` must hold what `convert_avsyncd_audio` left over, got {key!r}.")
        state[theirs[prefix] + key[len(prefix) :]] = value
    width = state_dict["patch.weight"].shape[0]
    new = state_dict["patch.weight"].new_ones(width)
    return {**state, FINAL_NORM[0]: new, FINAL_NORM[1]: torch.zeros_like(new)}


def _renamed(key: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)
    if prefix is None:
        raise ValueError(f"`state_dict` must be an audio encoder of AVSyncD, got the unknown key {key!r}.")
    return PREFIXES[prefix] + key[len(prefix) :]
