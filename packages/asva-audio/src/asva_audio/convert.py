"""ImageBind checkpoints <-> our audio encoder: one table of names, strict in both directions."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from asva_audio.imagebind import ImageBindAudioEncoder
from asva_audio.positions import resize_positions
from asva_weights import ConversionError, KeyTable, count_of, shape_of
from asva_weights.key_table import Rows, below, first_names

MODALITIES = ("vision", "text", "audio", "depth", "thermal", "imu")
HEAD_SIZE = 64
PARTS = ("modality_preprocessors", "modality_trunks", "modality_heads", "modality_postprocessors")

WHAT = "audio tower of ImageBind"
POSITIONS = "modality_preprocessors.audio.pos_embedding_helper.pos_embed"
PATCH = "modality_preprocessors.audio.rgbt_stem.proj.weight"
BLOCKS = "modality_trunks.audio.blocks."
BLOCK_ROWS: Rows = (
    (r"\.attention\.to_qkv\.(weight|bias)$", r".attn.in_proj_\1"),
    (r"\.attention\.to_out\.", ".attn.out_proj."),
    (r"\.attention\.bias_(k|v)(ey|alue)$", r".attn.bias_\1"),
    (r"\.norm(\d)\.", r".norm_\1."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.2\.", ".mlp.fc2."),
)
TABLE = KeyTable(
    (
        (r"^class_embedding$", "modality_preprocessors.audio.cls_token"),
        (r"^positions$", POSITIONS),
        (r"^patch\.", "modality_preprocessors.audio.rgbt_stem.proj."),
        (r"^patch_norm\.", "modality_preprocessors.audio.rgbt_stem.norm_layer."),
        (r"^blocks\.", BLOCKS),
        *BLOCK_ROWS,
    )
)


def audio_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of :class:`asva_audio.ImageBindAudioEncoder` that the weights of ImageBind, without prefix, tell.

    Heads have the width 64 of ImageBind.

    Raises:
        ConversionError: If a weight that tells one is missing.
    """
    width, _, patch, _ = shape_of(state, PATCH, WHAT, 4)
    return {
        "hidden_size": width,
        "num_hidden_layers": count_of(state, rf"{re.escape(BLOCKS)}(\d+)\."),
        "num_attention_heads": max(width // HEAD_SIZE, 1),
        "mlp_ratio": shape_of(state, f"{BLOCKS}0.mlp.fc1.weight", WHAT)[0] // width,
        "patch_size": patch,
        "class_token": "modality_preprocessors.audio.cls_token" in state,
    }


def split_imagebind(
    state_dict: Mapping[str, Tensor], *, prefix: str = ""
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Part an ImageBind checkpoint into its audio tower and all the rest, every key accounted for.

    Args:
        state_dict: ``imagebind_huge.pth``, or a checkpoint that holds ImageBind under ``prefix``.
        prefix: Where ImageBind stands, for example ``"imagebind_model."`` in KeyVID; other keys are not looked at.

    Returns:
        The keys of the audio tower and those of the other modalities and the heads, both without ``prefix``.

    Raises:
        ConversionError: If a key below ``prefix`` belongs to no modality of ImageBind, or there is no audio tower.
    """
    state = below(state_dict, prefix)
    known = re.compile(rf"({'|'.join(PARTS)})\.({'|'.join(MODALITIES)})\.")
    if unknown := {key for key in state if not known.match(key)}:
        raise ConversionError(
            f"`state_dict` must hold only keys of ImageBind below {prefix!r}, got {first_names(unknown)}."
        )
    tower = ("modality_preprocessors.audio.", "modality_trunks.audio.")
    audio = {key: value for key, value in state.items() if key.startswith(tower)}
    if not audio:
        raise ConversionError(f"`state_dict` must hold an ImageBind audio tower below {prefix!r}, got none.")
    return audio, {key: value for key, value in state.items() if key not in audio}


def convert_imagebind_audio(
    state_dict: Mapping[str, Tensor], *, prefix: str = "", grid: tuple[int, int] | None = None
) -> dict[str, Tensor]:
    """Weights of :class:`asva_audio.ImageBindAudioEncoder` from an ImageBind checkpoint.

    The other modalities and the contrastive head are dropped (:func:`split_imagebind` keeps them).

    Args:
        state_dict: ``imagebind_huge.pth``, or a checkpoint that holds ImageBind under ``prefix``.
        prefix: Where ImageBind stands, for example ``"imagebind_model."`` in KeyVID; other keys are not looked at.
        grid: (frequency, time) patches wanted. Positions of another number of columns are resized (229 -> 577 for
            KeyVID's 12 x 48); without it they stay as they are.

    Returns:
        State for ``load_state_dict``; tensors are shared with ``state_dict`` except resized positions.

    Raises:
        ConversionError: If a key is missing or unknown, or the positions do not fit the bands of ``grid``.
    """
    audio, _ = split_imagebind(state_dict, prefix=prefix)
    with torch.device("meta"):
        like = ImageBindAudioEncoder(**audio_config(audio)).state_dict()
        like["positions"] = torch.empty(1, shape_of(audio, POSITIONS, WHAT, 3)[1], like["patch.weight"].shape[0])
    state = TABLE.to_ours(audio, like, f"The {WHAT}")
    if grid is not None:
        state["positions"] = _fit_positions(state["positions"], grid, int("class_embedding" in state))
    return state


def invert_imagebind_audio(
    state_dict: Mapping[str, Tensor], *, prefix: str = "", rest: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Inverse of :func:`convert_imagebind_audio`: the original names, for use by the original code.

    Args:
        state_dict: Weights of :class:`asva_audio.ImageBindAudioEncoder`.
        prefix: Put in front of every key.
        rest: What :func:`split_imagebind` left over, put back beside the tower.

    Raises:
        ConversionError: If a key is missing or unknown.
    """
    original = TABLE.to_original(state_dict)
    convert_imagebind_audio(original)  # says what is missing or unknown
    return {prefix + key: value for key, value in {**original, **(rest or {})}.items()}


def _fit_positions(positions: Tensor, grid: tuple[int, int], extra: int) -> Tensor:
    columns, left = divmod(positions.shape[1] - extra, grid[0])
    if left:
        raise ConversionError(
            f"`grid` must have the bands of the checkpoint, got {grid} for {positions.shape[1]} positions."
        )
    return positions if columns == grid[1] else resize_positions(positions, (grid[0], columns), grid)
