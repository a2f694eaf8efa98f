"""ImageBind checkpoints <-> our audio encoder: one table of names, strict in both directions."""

import re
from collections.abc import Mapping

from torch import Tensor

from asva_audio.positions import resize_positions

MODALITIES = ("vision", "text", "audio", "depth", "thermal", "imu")
PARTS = ("modality_preprocessors", "modality_trunks", "modality_heads", "modality_postprocessors")

# ours -> theirs; {i} is the number of a block
EMBEDDING = {
    "class_embedding": "modality_preprocessors.audio.cls_token",
    "positions": "modality_preprocessors.audio.pos_embedding_helper.pos_embed",
    "patch.weight": "modality_preprocessors.audio.rgbt_stem.proj.weight",
    "patch_norm.weight": "modality_preprocessors.audio.rgbt_stem.norm_layer.weight",
    "patch_norm.bias": "modality_preprocessors.audio.rgbt_stem.norm_layer.bias",
}
BLOCK = {
    "attention.to_qkv.weight": "attn.in_proj_weight",
    "attention.to_qkv.bias": "attn.in_proj_bias",
    "attention.to_out.weight": "attn.out_proj.weight",
    "attention.to_out.bias": "attn.out_proj.bias",
    "attention.bias_key": "attn.bias_k",
    "attention.bias_value": "attn.bias_v",
    "norm1.weight": "norm_1.weight",
    "norm1.bias": "norm_1.bias",
    "norm2.weight": "norm_2.weight",
    "norm2.bias": "norm_2.bias",
    "mlp.0.weight": "mlp.fc1.weight",
    "mlp.0.bias": "mlp.fc1.bias",
    "mlp.2.weight": "mlp.fc2.weight",
    "mlp.2.bias": "mlp.fc2.bias",
}
TRUNK = "modality_trunks.audio.blocks."


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
        ValueError: If a key below ``prefix`` belongs to no modality of ImageBind, or there is no audio tower.
    """
    state = {key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(prefix)}
    known = re.compile(rf"({'|'.join(PARTS)})\.({'|'.join(MODALITIES)})\.")
    if unknown := sorted(key for key in state if not known.match(key)):
        raise ValueError(f"`state_dict` must hold only keys of ImageBind below {prefix!r}, got {_some(unknown)}.")
    tower = ("modality_preprocessors.audio.", "modality_trunks.audio.")
    audio = {key: value for key, value in state.items() if key.startswith(tower)}
    if not audio:
        raise ValueError(f"`state_dict` must hold an ImageBind audio tower below {prefix!r}, got none.")
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
        ValueError: If a key is missing or unknown, or the positions do not fit the bands of ``grid``.
    """
    audio, _ = split_imagebind(state_dict, prefix=prefix)
    names = _names(audio)
    missing = sorted(set(names.values()) - audio.keys())
    unknown = sorted(audio.keys() - set(names.values()))
    if missing or unknown:
        raise ValueError(
            f"`state_dict` must hold exactly the ImageBind audio tower, "
            f"got {len(missing)} missing {_some(missing)} and {len(unknown)} unknown {_some(unknown)}."
        )
    state = {ours: audio[theirs] for ours, theirs in names.items()}
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
        ValueError: If a key is missing or unknown.
    """
    blocks = {int(key.split(".")[1]) for key in state_dict if re.match(r"blocks\.\d+\.", key)}
    names = _table(len(blocks), "class_embedding" in state_dict)
    if state_dict.keys() != names.keys():
        wrong = sorted(state_dict.keys() ^ names.keys())
        raise ValueError(f"`state_dict` must be that of an ImageBindAudioEncoder, got wrong keys {_some(wrong)}.")
    state = {names[key]: value for key, value in state_dict.items()}
    return {prefix + key: value for key, value in {**state, **(rest or {})}.items()}


def _names(audio: Mapping[str, Tensor]) -> dict[str, str]:
    blocks = {int(key[len(TRUNK) :].split(".")[0]) for key in audio if re.match(re.escape(TRUNK) + r"\d+\.", key)}
    return _table(max(blocks, default=-1) + 1, EMBEDDING["class_embedding"] in audio)


def _table(num_blocks: int, class_token: bool) -> dict[str, str]:
    names = {ours: theirs for ours, theirs in EMBEDDING.items() if class_token or ours != "class_embedding"}
    for i in range(num_blocks):
        names |= {f"blocks.{i}.{ours}": f"{TRUNK}{i}.{theirs}" for ours, theirs in BLOCK.items()}
    return names


def _fit_positions(positions: Tensor, grid: tuple[int, int], extra: int) -> Tensor:
    columns, left = divmod(positions.shape[1] - extra, grid[0])
    if left:
        raise ValueError(
            f"`grid` must have the bands of the checkpoint, got {grid} for {positions.shape[1]} positions."
        )
    return positions if columns == grid[1] else resize_positions(positions, (grid[0], columns), grid)


def _some(keys: list[str], limit: int = 3) -> str:
    return str(keys[:limit])[:-1] + (", ...]" if len(keys) > limit else "]")
