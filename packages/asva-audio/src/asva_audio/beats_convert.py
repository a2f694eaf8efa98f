"""BEATs checkpoints <-> our encoder: one table of names, the configuration read from the file, strict both ways."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from asva_audio.beats import BEATsEncoder
from asva_weights import ConversionError, KeyTable

# ours -> theirs, and the value that the original takes where the checkpoint does not state one
CONFIG = {
    "patch_size": ("input_patch_size", -1),
    "embed_dim": ("embed_dim", 512),
    "hidden_size": ("encoder_embed_dim", 768),
    "num_hidden_layers": ("encoder_layers", 12),
    "num_attention_heads": ("encoder_attention_heads", 12),
    "intermediate_size": ("encoder_ffn_embed_dim", 3072),
    "conv_pos": ("conv_pos", 128),
    "conv_pos_groups": ("conv_pos_groups", 16),
    "num_buckets": ("num_buckets", 320),
    "max_distance": ("max_distance", 1280),
    "deep_norm": ("deep_norm", False),
}
# What all released checkpoints have, and the original's value where it is not stated.
FIXED = {
    "activation_fn": ("gelu", "gelu"),
    "layer_norm_first": (False, False),
    "conv_bias": (False, False),
    "relative_position_embedding": (True, False),
    "gru_rel_pos": (True, False),
}
BIAS = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
TABLE = KeyTable(
    (
        (r"^patch\.", "patch_embedding."),
        (r"^patch_norm\.", "layer_norm."),
        (r"^projection\.", "post_extract_proj."),
        (r"^positions\.bias$", "encoder.pos_conv.0.bias"),
        (r"^positions\.length$", "encoder.pos_conv.0.weight_g"),
        (r"^positions\.direction$", "encoder.pos_conv.0.weight_v"),
        (r"^norm\.", "encoder.layer_norm."),
        (r"^distance_bias\.weight$", BIAS.format(0)),
        (r"^blocks\.", "encoder.layers."),
        (r"\.attention\.to_(q|k|v|out)\.", r".self_attn.\1_proj."),
        (r"\.attention\.gate\.", ".self_attn.grep_linear."),
        (r"\.attention\.gate_scale$", ".self_attn.grep_a"),
        (r"\.norm1\.", ".self_attn_layer_norm."),
        (r"\.mlp\.0\.", ".fc1."),
        (r"\.mlp\.2\.", ".fc2."),
        (r"\.norm2\.", ".final_layer_norm."),
    ),
    unused=r"predictor\..+|" + BIAS.format(r"[1-9]\d*"),
)


def convert_beats(checkpoint: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights of :class:`asva_audio.BEATsEncoder` from a BEATs checkpoint.

    The predictor of finetuned files is dropped. The table of distance biases, which the file repeats for every layer,
    is kept once.

    Args:
        checkpoint: ``{"cfg": ..., "model": ...}`` as in ``BEATs_iter3.pt``.

    Returns:
        Arguments for :class:`BEATsEncoder`, and state for its ``load_state_dict``.

    Raises:
        ConversionError: If ``cfg`` or ``model`` is missing, the architecture is another, a key is missing or
            unknown, or the layers' tables of distance biases differ.
    """
    if not isinstance(checkpoint, Mapping) or not {"cfg", "model"} <= checkpoint.keys():
        raise ConversionError("`checkpoint` must hold `cfg` and `model`, as BEATs_iter3.pt does.")
    config = _config(checkpoint["cfg"])
    model = checkpoint["model"]
    state = TABLE.to_ours(model, _empty(config), "`checkpoint`")
    tables = [model.get(BIAS.format(i)) for i in range(config["num_hidden_layers"])]
    if any(table is None or not (table.is_meta or torch.equal(table, tables[0])) for table in tables):
        raise ConversionError("`checkpoint` must repeat one table of distance biases in every layer, got different.")
    return config, state


def invert_beats(config: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> dict[str, Any]:
    """Inverse of :func:`convert_beats`: a checkpoint for the original code, without a predictor.

    Args:
        config: Arguments of :class:`asva_audio.BEATsEncoder`, or its ``config``.
        state_dict: Its weights.

    Raises:
        ConversionError: If a setting is missing, or a key is missing or unknown.
    """
    if missing := sorted(CONFIG.keys() - config.keys()):
        raise ConversionError(f"`config` must be that of a BEATsEncoder, got none of {missing}.")
    model = TABLE.to_original(state_dict, _empty(config), "`state_dict`")
    for i in range(1, config["num_hidden_layers"]):
        model[BIAS.format(i)] = state_dict["distance_bias.weight"]
    cfg = {theirs: config[ours] for ours, (theirs, _) in CONFIG.items()}
    cfg |= {name: value for name, (value, _) in FIXED.items()}
    return {"cfg": {**cfg, "finetuned_model": False}, "model": model}


def _config(cfg: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(cfg, Mapping):
        raise ConversionError(f"`checkpoint['cfg']` must be a mapping, got {type(cfg).__name__}.")
    for name, (needed, default) in FIXED.items():
        if (value := cfg.get(name, default)) != needed:
            raise ConversionError(f"`checkpoint` must have {name} = {needed!r} as the released BEATs, got {value!r}.")
    config = {ours: cfg.get(theirs, default) for ours, (theirs, default) in CONFIG.items()}
    for ours, value in config.items():
        if not isinstance(value, int) or (value < 1 and ours != "deep_norm"):
            raise ConversionError(f"`checkpoint` must state a positive whole {CONFIG[ours][0]}, got {value!r}.")
    return {**config, "deep_norm": bool(config["deep_norm"])}


def _empty(config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Names and shapes of the weights."""
    with torch.device("meta"):
        return BEATsEncoder(**{name: config[name] for name in CONFIG}).state_dict()
