"""Weights of the original MTV code: what each of our parameters is called there, strict both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

from torch import Tensor

from asva_weights import ConversionError, KeyTable

PREFIX = "model.diffusion_model."
BLOCK, LAYER, ADALN = r"transformer_blocks\.(\d+)\.", r"transformer.layers.\1.", r"mixins.adaln_layer."
TRACKS = ((r"speech\.0", ""), (r"speech\.1", "_second"), ("effects", "_effect"))
PROJECTIONS = (("speech", ""), ("effects", "_effect"), ("music", "_music"))
LINEAR = (("proj_in", "proj1"), ("proj_hidden", "proj2"), ("proj_out", "proj3"), ("halve", "conv1"), ("norm", "norm"))
INTERACTION, DUAL = r"control\.interaction\.blocks\.(\d+)\.", r"transformer.audio_combine.dual_blocks.\1."

# (our name, the original's), without ".weight" and ".bias".
ROWS: tuple[tuple[str, str], ...] = (
    # the base
    (r"patch_embed\.pos_embedding", r"mixins.pos_embed.pos_embedding"),
    (r"patch_embed\.(proj|text_proj)", r"mixins.patch_embed.\1"),
    (r"time_embedding\.linear_1", r"time_embed.0"),
    (r"time_embedding\.linear_2", r"time_embed.2"),
    (r"norm_final", r"transformer.final_layernorm"),
    (r"norm_out\.norm", r"mixins.final_layer.norm_final"),
    (r"norm_out\.linear", r"mixins.final_layer.adaLN_modulation.1"),
    (r"proj_out", r"mixins.final_layer.linear"),
    # one of its blocks: shift, scale and gate of both norms for the video, then for the text
    (BLOCK + r"norm1\.linear", ADALN + r"adaLN_modulations.\1.1#12:0,1,2,6,7,8"),
    (BLOCK + r"norm2\.linear", ADALN + r"adaLN_modulations.\1.1#12:3,4,5,9,10,11"),
    (BLOCK + r"attn1\.norm_q", ADALN + r"query_layernorm_list.\1"),
    (BLOCK + r"attn1\.norm_k", ADALN + r"key_layernorm_list.\1"),
    (BLOCK + r"norm1\.norm", LAYER + "input_layernorm"),
    (BLOCK + r"norm2\.norm", LAYER + "post_attention_layernorm"),
    (BLOCK + r"attn1\.to_q", LAYER + "attention.query_key_value#3:0"),
    (BLOCK + r"attn1\.to_k", LAYER + "attention.query_key_value#3:1"),
    (BLOCK + r"attn1\.to_v", LAYER + "attention.query_key_value#3:2"),
    (BLOCK + r"attn1\.to_out\.0", LAYER + "attention.dense"),
    (BLOCK + r"ff\.net\.0\.proj", LAYER + "mlp.dense_h_to_4h"),
    (BLOCK + r"ff\.net\.2", LAYER + "mlp.dense_4h_to_h"),
    # what MTV adds to a block
    (BLOCK + r"control\.style\.affine", LAYER + "audio_music_adaLn"),
    *((BLOCK + rf"control\.{ours}\.norm", LAYER + f"audio_input_layernorm{theirs}") for ours, theirs in TRACKS),
    *((BLOCK + rf"control\.{ours}\.to_q", LAYER + f"audio_attn{theirs}.query") for ours, theirs in TRACKS),
    *((BLOCK + rf"control\.{ours}\.to_k", LAYER + f"audio_attn{theirs}.key_value#2:0") for ours, theirs in TRACKS),
    *((BLOCK + rf"control\.{ours}\.to_v", LAYER + f"audio_attn{theirs}.key_value#2:1") for ours, theirs in TRACKS),
    *((BLOCK + rf"control\.{ours}\.to_out", LAYER + f"audio_attn{theirs}.dense") for ours, theirs in TRACKS),
    # the rest of what MTV adds
    *(
        (rf"control\.{ours}_tokens\.{our}", f"transformer.audio_proj{theirs}.{their}")
        for (ours, theirs), (our, their) in product(PROJECTIONS, LINEAR)
    ),
    (r"control\.interaction\.speaker_embedding\.0", "transformer.audio_vocal_embedding"),
    (r"control\.interaction\.speaker_embedding\.1", "transformer.audio_vocal_embedding_1"),
    (INTERACTION + r"modulation", DUAL + "adaLN_modulations.1"),
    (INTERACTION + r"speech_norm", DUAL + "vocal_layernorm"),
    (INTERACTION + r"effects_norm", DUAL + "accm_layernorm"),
    (INTERACTION + r"ff_norm", DUAL + "post_attention_layernorm"),
    (INTERACTION + r"to_qkv", DUAL + "attention.query_key_value"),
    (INTERACTION + r"to_out", DUAL + "attention.dense"),
    (INTERACTION + r"ff_in", DUAL + "mlp.dense_h_to_4h"),
    (INTERACTION + r"ff_out", DUAL + "mlp.dense_4h_to_h"),
)
# In the file, but nothing of the network: tables that it computes, and layers of the toolkit below that it never calls.
UNUSED = r"transformer\.(position|word)_embeddings\.weight|mixins\.pos_embed\.freqs_(sin|cos)"


def _refuse(match: re.Match[str]) -> str:
    raise ConversionError(f"`name` must be a parameter that the original MTV has, got {match.string!r}.")


TABLE = KeyTable(
    (
        *((rf"^{ours}(?=(?:\.weight|\.bias)?$)", theirs) for ours, theirs in ROWS),
        (r"^(?!(?:transformer|mixins|time_embed)\.).*", _refuse),
    ),
    unused=UNUSED,
)


def convert_mtv(
    original: Mapping[str, Tensor], like: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Rename and cut the original's state dict; nothing is left over.

    Args:
        original: The original's state dict, with or without ``model.diffusion_model.`` before its names.
        like: State dict of our model, for names and shapes; may live on the meta device.

    Returns:
        Our state dict, and what the network never uses under its original names.

    Raises:
        ConversionError: If a key is missing or unknown, or a shape differs.
    """
    theirs = {name.removeprefix(PREFIX): tensor for name, tensor in original.items()}
    return TABLE.to_ours(theirs, like, "`original`"), TABLE.rest(theirs)


def restore_mtv(ours: Mapping[str, Tensor], unused: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The inverse of ``convert_mtv``: the original's state dict, without prefix.

    Raises:
        ConversionError: If a parameter has no place in the original, or a piece of one of its tensors is missing.
    """
    return {**TABLE.to_original(ours, what="`ours`"), **(unused or {})}
