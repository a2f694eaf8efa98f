"""The names of Synchformer's weights in its release, both ways."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from asva_metrics.networks.synchformer import Synchformer
from asva_weights import KeyTable, read_checkpoint
from asva_weights.release import blame

TABLE = KeyTable(
    (
        (r"\.gather\.attn\.to_([qkv])\.", lambda m: f".gather.self_attn.in_proj_#3:{'qkv'.index(m[1])}"),
        (r"\.gather\.attn\.proj", ".gather.self_attn.out_proj"),
        (r"\.gather\.fc", ".gather.linear"),
        (r"^video\.gather", "vfeat_extractor.spatial_attn_agg"),
        (r"^audio\.gather", "afeat_extractor.freq_attn_agg"),
        (r"^video\.positions", "video.pos_embed"),
        (r"^video\.times", "video.temp_embed"),
        (r"^video\.patch", "video.patch_embed_3d.proj"),
        (r"^video\.(.*)time_attn", r"video.\1timeattn"),
        (r"^video\.(.*)\.to_([qkv])", lambda m: f"video.{m[1]}.qkv#3:{'qkv'.index(m[2])}"),
        (r"^video\.(.*)\.fc", r"video.\1.mlp.fc"),
        (r"^video\.", "vfeat_extractor."),
        (r"^audio\.(cls|distillation)_token", r"audio.embeddings.\1_token"),
        (r"^audio\.positions", "audio.embeddings.position_embeddings"),
        (r"^audio\.patch", "audio.embeddings.patch_embeddings.projection"),
        (r"^audio\.norm", "audio.layernorm"),
        (r"^audio\.blocks\.", "audio.encoder.layer."),
        (r"^audio\.(.*)\.norm1", r"audio.\1.layernorm_before"),
        (r"^audio\.(.*)\.norm2", r"audio.\1.layernorm_after"),
        (r"^audio\.(.*)\.attn\.to_(.)", lambda m: f"audio.{m[1]}.attention.attention.{_long(m[2])}"),
        (r"^audio\.(.*)\.attn\.proj", r"audio.\1.attention.output.dense"),
        (r"^audio\.(.*)\.fc1", r"audio.\1.intermediate.dense"),
        (r"^audio\.(.*)\.fc2", r"audio.\1.output.dense"),
        (r"^audio\.", "afeat_extractor.ast."),
        (r"^head\.(audio|video)_proj", lambda m: f"{m[1][0]}proj"),
        (r"^head\.(aud|vid)(io|eo)_norm", lambda m: f"head.{'aud' if m[1] == 'aud' else 'vis'}_in_lnorm"),
        (r"^head\.offset_token", "head.OFF_tok"),
        (r"^head\.audio_token", "head.MOD_tok"),
        (r"^head\.positions", "head.pos_emb_cfg.pos_emb"),
        (r"^head\.norm", "head.ln_f"),
        (r"^head\.classes", "head.off_head"),
        (r"^head\.(.*)\.norm", r"head.\1.ln"),
        (r"^head\.(.*)\.to_(.)", lambda m: f"head.{m[1]}.{_long(m[2])}"),
        (r"^head\.(.*)\.fc([12])", lambda m: f"head.{m[1]}.mlp.{2 * int(m[2]) - 2}"),
        (r"^head\.", "transformer."),
    ),
    unused=r"vfeat_extractor\.patch_embed\.proj\.(weight|bias)",  # of pictures, where clips have patch_embed_3d
)


def convert_synchformer(state_dict: Mapping[str, Tensor], **sizes: object) -> Synchformer:
    """Synchformer with the weights of a state dict in the names of its release.

    Args:
        state_dict: Its weights by name, or the whole training checkpoint with these under ``model``.
        sizes: Arguments of `Synchformer` where they are not the released ones.

    Returns:
        The network in float32 and evaluation mode.

    Raises:
        ConversionError: If a key is missing or unknown, or a shape is another.
    """
    with torch.device("meta"):
        network = Synchformer(**sizes)
    state = TABLE.to_ours(state_dict, network.state_dict(), "`state_dict` of Synchformer")
    network.load_state_dict(state, assign=True)
    return network.float().eval()


def load_synchformer(path: str | os.PathLike[str]) -> Synchformer:
    """Synchformer from ``synchformer_state_dict.pth`` or its training checkpoint; errors as `load_network`."""
    state = read_checkpoint(path)
    with blame(Path(path), "checkpoint of Synchformer"):
        return convert_synchformer(state)


def _long(letter: str) -> str:
    return {"q": "query", "k": "key", "v": "value"}[letter]
