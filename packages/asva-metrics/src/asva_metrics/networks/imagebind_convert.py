"""``imagebind_huge.pth`` <-> the towers of images, texts and sounds: strict in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from asva_audio import (
    ImageBindAudioHead,
    convert_imagebind_head,
    invert_imagebind_audio,
    read_imagebind,
    split_imagebind,
)
from asva_audio.convert import BLOCK_ROWS
from asva_audio.embedding import TABLE as AUDIO_HEAD
from asva_metrics.networks.imagebind import ImageBind, ImageBindTextTower, ImageBindVisionTower
from asva_weights import ConversionError, KeyTable, count_of, shape_of

MASK = "modality_preprocessors.text.mask"
TABLES = {
    "vision": KeyTable(
        (
            (r"^class_embedding$", "modality_preprocessors.vision.cls_token"),
            (r"^patch\.", "modality_preprocessors.vision.rgbt_stem.proj.1."),
            (r"^positions$", "modality_preprocessors.vision.pos_embedding_helper.pos_embed"),
            (r"^norm\.", "modality_trunks.vision.pre_transformer_layer.0."),
            (r"^blocks\.", "modality_trunks.vision.blocks."),
            (r"^head_norm\.", "modality_heads.vision.0."),
            (r"^projection\.", "modality_heads.vision.2."),
            *BLOCK_ROWS,
        )
    ),
    "text": KeyTable(
        (
            (r"^embedding\.", "modality_preprocessors.text.token_embedding."),
            (r"^positions$", "modality_preprocessors.text.pos_embed"),
            (r"^blocks\.", "modality_trunks.text.blocks."),
            (r"^head_norm\.", "modality_heads.text.proj.0."),
            (r"^projection\.", "modality_heads.text.proj.1."),
            (r"^log_scale$", "modality_postprocessors.text.1.log_logit_scale"),
            *BLOCK_ROWS,
        ),
        unused=MASK,
    ),
}


def convert_imagebind(
    state_dict: Mapping[str, Tensor], *, prefix: str = "", num_attention_heads: Mapping[str, int] | None = None
) -> ImageBind:
    """ImageBind from its checkpoint, of the sizes that the file has.

    Args:
        state_dict: ``imagebind_huge.pth``; the towers of depth, heat and motion sensors are dropped if there.
        prefix: Where ImageBind stands, for example ``"net."``.
        num_attention_heads: Heads by modality, for files of other sizes; huge has 16, 16 and 12.

    Returns:
        The towers in evaluation mode.

    Raises:
        ConversionError: If a key is missing or unknown, a shape is another, or the mask of the texts is not causal.
    """
    audio, rest = split_imagebind(state_dict, prefix=prefix)
    heads = {"vision": 16, "text": 16, "audio": 12, **(num_attention_heads or {})}
    _check_mask(rest)
    vision, text = (_tower(modality, rest, heads[modality]) for modality in TABLES)
    weights = convert_imagebind_head(rest)
    with torch.device("meta"):
        head = ImageBindAudioHead(*reversed(weights["projection.weight"].shape))
    head.load_state_dict(weights, assign=True)
    return ImageBind(vision, text, read_imagebind(audio, num_attention_heads=heads["audio"]), head).eval()


def invert_imagebind(model: ImageBind) -> dict[str, Tensor]:
    """Inverse of `convert_imagebind`: the original names of all towers and heads."""
    state = invert_imagebind_audio(model.audio.state_dict())
    state |= AUDIO_HEAD.to_original(model.audio_head.state_dict())
    for table, tower in zip(TABLES.values(), (model.vision, model.text), strict=True):
        state |= table.to_original(tower.state_dict())
    length = model.text.config["context_length"]
    state[MASK] = torch.full((length, length), float("-inf"), device=model.text.device).triu(1)
    return state


def _tower(modality: str, rest: Mapping[str, Tensor], num_heads: int) -> Any:
    table, what = TABLES[modality], f"{modality} tower of ImageBind"
    state = {key: value for key, value in rest.items() if key.split(".")[1] == modality}
    embedding_size, width = shape_of(state, table.place("projection.weight").name, what, 2)
    length = shape_of(state, table.place("positions").name, what, 3)[1]
    sizes = {"num_hidden_layers": count_of(state, rf"modality_trunks\.{modality}\.blocks\.(\d+)\.")}
    sizes |= {"num_attention_heads": num_heads, "embedding_size": embedding_size, "hidden_size": width}
    with torch.device("meta"):
        if modality == "vision":
            patch = shape_of(state, table.place("patch.weight").name, what, 5)[-1]
            tower = ImageBindVisionTower(**sizes, patch_size=patch, image_size=round((length - 1) ** 0.5) * patch)
        else:
            vocabulary = shape_of(state, table.place("embedding.weight").name, what, 2)[0]
            tower = ImageBindTextTower(**sizes, vocab_size=vocabulary, context_length=length)
    tower.load_state_dict(table.to_ours(state, tower.state_dict(), f"The {what}"), assign=True)
    return tower


def _check_mask(state: Mapping[str, Tensor]) -> None:
    mask = state.get(MASK)
    if mask is None or (not mask.is_meta and not torch.equal(mask < 0, torch.ones_like(mask).triu(1) > 0)):
        raise ConversionError(
            f"`state_dict` must hold the causal mask {MASK}, got {'none' if mask is None else 'another'}."
        )
