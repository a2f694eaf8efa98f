"""What CoDi hears, sees and reads: each one vector of length 1 by CLAP and CLIP (CoDi, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapFeatureExtractor,
    CLIPConfig,
)

from asva_audio import resample
from asva_baselines.codi.clip import CLIP_TABLE, CoDiCLIP, clip_config, clip_pixels
from asva_weights import count_of, shape_of
from asva_weights.key_table import KeyTable

CLAP_RATE = 48000
_COMPUTED = "relative_position_index"


def log_mel(waveform: Tensor, sample_rate: int) -> Tensor:
    """(b, 1, 1001, 64) of sounds (b, s) of up to ten seconds, which are repeated as often as they fit whole."""
    sounds = resample(waveform, sample_rate, CLAP_RATE).numpy()
    extractor = ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50)
    return extractor(list(sounds), sampling_rate=CLAP_RATE, return_tensors="pt")["input_features"]


def audio_context(
    encoder: ClapAudioModelWithProjection, waveform: Tensor, sample_rate: int, device: Any = None
) -> Tensor:
    """(b, 1, d) of sounds (b, s) on the CPU; an offloaded encoder runs on the ``device``."""
    features = log_mel(waveform, sample_rate).to(device or encoder.device, encoder.dtype)
    return F.normalize(encoder(features).audio_embeds, dim=-1)[:, None]


def seen_context(encoder: CoDiCLIP, pixels: Tensor, device: Any = None) -> Tensor:
    """(b, 1, d) of pictures (b, 3, h, w) or videos (b, t, 3, h, w), in [-1, 1] on the CPU."""
    towers: Any = encoder.config
    squares = clip_pixels(pixels, towers.vision_config.image_size)
    return encoder(pixel_values=squares.to(device or encoder.device, encoder.dtype))


def clap_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of transformers' ``ClapAudioConfig`` from ``clap.model`` without prefix."""
    branch, what = "model.audio_branch", "CLAP"
    stages = range(count_of(state, rf"{branch}\.layers\.(\d+)\."))
    table = "blocks.0.attn.relative_position_bias_table"
    last = shape_of(state, f"{branch}.norm.weight", what)[0]
    return {
        "patch_embeds_hidden_size": shape_of(state, f"{branch}.patch_embed.proj.weight", what)[0],
        "hidden_size": last,
        "depths": [count_of(state, rf"{branch}\.layers\.{stage}\.blocks\.(\d+)\.") for stage in stages],
        "num_attention_heads": [shape_of(state, f"{branch}.layers.{stage}.{table}", what)[1] for stage in stages],
        "projection_dim": shape_of(state, "model.audio_projection.0.weight", what)[0],
        "projection_hidden_act": "relu",
    }


CLAP_TABLE = KeyTable(
    (
        (r"^audio_model\.audio_encoder\.batch_norm\.", "audio_branch.bn0."),
        (r"^audio_model\.audio_encoder\.", "audio_branch."),
        (r"^audio_projection\.linear1\.", "audio_projection.0."),
        (r"^audio_projection\.linear2\.", "audio_projection.2."),
        (r"\.attention\.self\.query\.(weight|bias)$", r".attn.qkv.\1#3:0"),
        (r"\.attention\.self\.key\.(weight|bias)$", r".attn.qkv.\1#3:1"),
        (r"\.attention\.self\.value\.(weight|bias)$", r".attn.qkv.\1#3:2"),
        (r"\.attention\.self\.relative", ".attn.relative"),
        (r"\.attention\.output\.dense\.", ".attn.proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"\.output\.dense\.", ".mlp.fc2."),
        (r"\.layernorm_before\.", ".norm1."),
        (r"\.layernorm_after\.", ".norm2."),
        (r"^", "model."),
    ),
    unused=r"model\.audio_branch\.(head|tscam_conv|spectrogram_extractor|logmel_extractor)\..+|model\.audio_transform\..+"
    r"|.+\.(attn_mask|relative_position_index)",
)


def read_encoder(name: str, state: Mapping[str, Tensor], device: str = "cpu") -> Any:
    """``"clap"`` or ``"clip"`` from its released weights, which stay where they are."""
    # not on the meta device: what the networks compute when they are made would be lost
    with torch.device(device):
        if name == "clip":
            network, table = CoDiCLIP(CLIPConfig(**clip_config(state))), CLIP_TABLE
        else:
            network, table = ClapAudioModelWithProjection(ClapAudioConfig(**clap_config(state))), CLAP_TABLE
    own = network.state_dict()
    like = {key: x for key, x in own.items() if not key.endswith(_COMPUTED)}
    network.load_state_dict(own | table.to_ours(state, like, name), assign=True)
    return network.eval()
