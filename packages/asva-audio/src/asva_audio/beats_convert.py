"""BEATs checkpoints <-> our encoder: one table of names, the configuration read from the file, strict both ways."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

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
OUTER = {
    "patch.weight": "patch_embedding.weight",
    "patch_norm.weight": "layer_norm.weight",
    "patch_norm.bias": "layer_norm.bias",
    "projection.weight": "post_extract_proj.weight",
    "projection.bias": "post_extract_proj.bias",
    "positions.bias": "encoder.pos_conv.0.bias",
    "positions.length": "encoder.pos_conv.0.weight_g",
    "positions.direction": "encoder.pos_conv.0.weight_v",
    "norm.weight": "encoder.layer_norm.weight",
    "norm.bias": "encoder.layer_norm.bias",
}
LINEAR = {
    "attention.to_q": "self_attn.q_proj",
    "attention.to_k": "self_attn.k_proj",
    "attention.to_v": "self_attn.v_proj",
    "attention.to_out": "self_attn.out_proj",
    "attention.gate": "self_attn.grep_linear",
    "norm1": "self_attn_layer_norm",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "norm2": "final_layer_norm",
}
BIAS = "encoder.layers.{}.self_attn.relative_attention_bias.weight"


def convert_beats(checkpoint: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights of :class:`asva_audio.BEATsEncoder` from a BEATs checkpoint.

    The predictor of finetuned files is dropped. The table of distance biases, which the file repeats for every layer,
    is kept once.

    Args:
        checkpoint: ``{"cfg": ..., "model": ...}`` as in ``BEATs_iter3.pt``.

    Returns:
        Arguments for :class:`BEATsEncoder`, and state for its ``load_state_dict``.

    Raises:
        ValueError: If ``cfg`` or ``model`` is missing, the architecture is another, a key is missing or unknown, or
            the layers' tables of distance biases differ.
    """
    if not isinstance(checkpoint, Mapping) or not {"cfg", "model"} <= checkpoint.keys():
        raise ValueError("`checkpoint` must hold `cfg` and `model`, as BEATs_iter3.pt does.")
    config = _config(checkpoint["cfg"])
    model = {key: value for key, value in checkpoint["model"].items() if not key.startswith("predictor.")}
    layers = config["num_hidden_layers"]
    names, tables = _table(layers), [BIAS.format(i) for i in range(layers)]
    _check_keys(model.keys(), set(names.values()) | set(tables))
    if any(not torch.equal(model[table], model[tables[0]]) for table in tables if not model[table].is_meta):
        raise ValueError("`checkpoint` must repeat one table of distance biases in every layer, got different ones.")
    state = {ours: model[theirs] for ours, theirs in names.items()}
    return config, {**state, "distance_bias.weight": model[tables[0]]}


def invert_beats(config: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> dict[str, Any]:
    """Inverse of :func:`convert_beats`: a checkpoint for the original code, without a predictor.

    Args:
        config: Arguments of :class:`asva_audio.BEATsEncoder`, or its ``config``.
        state_dict: Its weights.

    Raises:
        ValueError: If a setting is missing, or a key is missing or unknown.
    """
    if missing := sorted(CONFIG.keys() - config.keys()):
        raise ValueError(f"`config` must be that of a BEATsEncoder, got none of {missing}.")
    names = _table(config["num_hidden_layers"])
    _check_keys(state_dict.keys(), names.keys() | {"distance_bias.weight"}, "`state_dict`")
    model = {theirs: state_dict[ours] for ours, theirs in names.items()}
    for i in range(config["num_hidden_layers"]):
        model[BIAS.format(i)] = state_dict["distance_bias.weight"]
    cfg = {theirs: config[ours] for ours, (theirs, _) in CONFIG.items()}
    cfg |= {name: value for name, (value, _) in FIXED.items()}
    return {"cfg": {**cfg, "finetuned_model": False}, "model": model}


def _config(cfg: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(cfg, Mapping):
        raise ValueError(f"`checkpoint['cfg']` must be a mapping, got {type(cfg).__name__}.")
    for name, (needed, default) in FIXED.items():
        if (value := cfg.get(name, default)) != needed:
            raise ValueError(f"`checkpoint` must have {name} = {needed!r} as the released BEATs, got {value!r}.")
    config = {ours: cfg.get(theirs, default) for ours, (theirs, default) in CONFIG.items()}
    for ours, value in config.items():
        if not isinstance(value, int) or (value < 1 and ours != "deep_norm"):
            raise ValueError(f"`checkpoint` must state a positive whole {CONFIG[ours][0]}, got {value!r}.")
    return {**config, "deep_norm": bool(config["deep_norm"])}


def _table(num_layers: int) -> dict[str, str]:
    names = dict(OUTER)
    for i in range(num_layers):
        ours, theirs = f"blocks.{i}.", f"encoder.layers.{i}."
        names[f"{ours}attention.gate_scale"] = f"{theirs}self_attn.grep_a"
        for name, original in LINEAR.items():
            names |= {f"{ours}{name}.{part}": f"{theirs}{original}.{part}" for part in ("weight", "bias")}
    return names


def _check_keys(given: Any, expected: Any, name: str = "`checkpoint`") -> None:
    missing, unknown = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
    if missing or unknown:
        raise ValueError(
            f"{name} must hold exactly the weights of BEATs, "
            f"got {len(missing)} missing {missing[:3]} and {len(unknown)} unknown {unknown[:3]}."
        )
