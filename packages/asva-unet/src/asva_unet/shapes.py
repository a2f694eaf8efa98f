"""Configurations of the released networks, read off the shapes of their weights.

The same code therefore takes the full-size files and small ones. What shapes cannot tell is what every released file
shares: groups of 32, heads of 64 channels (80 in the image tower), 16 image tokens per frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from asva_weights import ConversionError, count_of, shape_of

State = Mapping[str, Tensor]
_INIT_HEADS = 8
_HEAD = 64
_VISION_HEADS = {1280: 80, 1408: 88, 1664: 104}


def unet_config(state: State) -> dict[str, Any]:
    """Arguments of :class:`asva_unet.KeyVIDUNet` from ``model.diffusion_model`` without prefix.

    What the output means is not seen in shapes: it is velocity in KeyVID and DynamiCrafter, noise in VideoCrafter.
    """
    what = "U-Net"
    widths, attention, layers = [shape_of(state, "input_blocks.0.0.weight", what)[0]], [], 0
    first_level = 0
    for index in range(1, count_of(state, r"input_blocks\.(\d+)\.")):
        name = f"input_blocks.{index}.0"
        if f"{name}.op.weight" in state:
            widths.append(0)
            continue
        level = len(widths) - 1
        widths[level] = shape_of(state, f"{name}.out_layers.3.weight", what)[0]
        first_level += level == 0
        if len(attention) == level:
            attention.append(f"input_blocks.{index}.1.proj_in.weight" in state)
    layers = first_level
    inner = shape_of(state, "init_attn.0.proj_in.weight", what)[0]
    text = next((name for name in state if re.search(r"block(s\.\d+)?\.1\..*\.attn2\.to_k\.weight", name)), None)
    if text is None:
        raise ConversionError("The U-Net has no cross attention: it is not a network of KeyVID or its relatives.")
    table = state.get("init_attn.0.transformer_blocks.0.attn1.relative_position_k.embeddings_table")
    hears = "audio_proj_2.weight" in state
    return {
        "in_channels": shape_of(state, "input_blocks.0.0.weight", what)[1],
        "out_channels": shape_of(state, "out.2.weight", what)[0],
        "block_out_channels": tuple(widths),
        "layers_per_block": layers,
        "attention_levels": tuple(attention),
        "attention_head_dim": inner // _INIT_HEADS,
        "init_attention_heads": _INIT_HEADS,
        "cross_attention_dim": shape_of(state, text, what)[1],
        "audio_cross_attention": hears,
        **({"audio_embed_dim": shape_of(state, "audio_proj_2.weight", what)[1]} if hears else {}),
        "frame_index_embedding": "frame_idx_embedding.0.weight" in state,
        "prediction_type": "v_prediction",
        "image_cross_attention": any(name.endswith("attn2.to_k_ip.weight") for name in state),
        "temporal_conv": any(".temopral_conv." in name for name in state),
        "temporal_reach": None if table is None else table.shape[0] // 2,
        "frame_rate_embedding": "fps_embedding.0.weight" in state,
    }


def vae_config(state: State) -> dict[str, Any]:
    """Arguments of ``diffusers.AutoencoderKL`` from ``first_stage_model`` without prefix."""
    what = "VAE"
    levels = count_of(state, r"encoder\.down\.(\d+)\.")
    widths = tuple(shape_of(state, f"encoder.down.{i}.block.0.conv2.weight", what)[0] for i in range(levels))
    return {
        "block_out_channels": widths,
        "layers_per_block": count_of(state, r"encoder\.down\.0\.block\.(\d+)\."),
        "latent_channels": shape_of(state, "post_quant_conv.weight", what)[0],
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "scaling_factor": 0.18215,
    }


def text_config(state: State) -> dict[str, Any]:
    """Arguments of ``transformers.CLIPTextConfig`` from ``cond_stage_model.model`` without prefix."""
    what = "text encoder"
    vocabulary, width = shape_of(state, "token_embedding.weight", what)
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shape_of(state, "transformer.resblocks.0.mlp.c_fc.weight", what)[0],
        # KeyVID reads the text before the last block, which therefore is never built.
        "num_hidden_layers": count_of(state, r"transformer\.resblocks\.(\d+)\.") - 1,
        "num_attention_heads": max(width // _HEAD, 1),
        "max_position_embeddings": shape_of(state, "positional_embedding", what)[0],
        "projection_dim": shape_of(state, "text_projection", what)[1],
        "hidden_act": "gelu",
        "pad_token_id": 0,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }


def vision_config(state: State) -> dict[str, Any]:
    """Arguments of ``transformers.CLIPVisionConfig`` from ``embedder.model`` without prefix."""
    what = "image encoder"
    width, _, patch, _ = shape_of(state, "visual.conv1.weight", what)
    tokens = shape_of(state, "visual.positional_embedding", what)[0]
    return {
        "hidden_size": width,
        "intermediate_size": shape_of(state, "visual.transformer.resblocks.0.mlp.c_fc.weight", what)[0],
        "num_hidden_layers": count_of(state, r"visual\.transformer\.resblocks\.(\d+)\."),
        "num_attention_heads": max(width // _VISION_HEADS.get(width, _HEAD), 1),
        "patch_size": patch,
        "image_size": patch * round((tokens - 1) ** 0.5),
        "projection_dim": shape_of(state, "visual.proj", what)[1],
        "hidden_act": "gelu",
    }


def resampler_config(state: State, num_frames: int) -> dict[str, Any]:
    """Arguments of :class:`asva_unet.ImageResampler` from ``image_proj_model`` without prefix."""
    what = "image projector"
    _, queries, width = shape_of(state, "latents", what)
    return {
        "num_frames": num_frames,
        "num_queries": queries // num_frames,
        "dim": width,
        "embedding_dim": shape_of(state, "proj_in.weight", what)[1],
        "output_dim": shape_of(state, "proj_out.weight", what)[0],
        "depth": count_of(state, r"layers\.(\d+)\."),
        "heads": shape_of(state, "layers.0.0.to_q.weight", what)[0] // _HEAD,
        "dim_head": _HEAD,
        "ff_mult": shape_of(state, "layers.0.1.1.weight", what)[0] // width,
    }
