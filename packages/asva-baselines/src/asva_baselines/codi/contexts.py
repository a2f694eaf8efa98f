"""What CoDi hears, sees and reads: each one vector of length 1 by CLAP and CLIP (CoDi, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapFeatureExtractor,
    CLIPConfig,
    CLIPModel,
)

from asva_audio import resample
from asva_unet.openclip import CLIP_MEAN, CLIP_STD
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


def clip_pixels(pixels: Tensor, size: int) -> Tensor:
    """Pictures (b, 3, h, w) in [-1, 1] as the image tower sees them: 256 values, the middle square, bicubic."""
    squares = []
    for picture in ((pixels + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy():
        height, width = picture.shape[:2]
        scale = size / min(height, width)
        whole = Image.fromarray(picture).resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
        left, top = (whole.width - size) // 2, (whole.height - size) // 2
        squares.append(np.asarray(whole.crop((left, top, left + size, top + size))))
    mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    return (torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2) / 255 - mean) / std


def image_context(encoder: CLIPModel, pixels: Tensor, device: Any = None) -> Tensor:
    """(b, 1, d) of pictures (b, 3, h, w) in [-1, 1] on the CPU."""
    towers: Any = encoder.config
    squares = clip_pixels(pixels, towers.vision_config.image_size).to(device or encoder.device, encoder.dtype)
    return F.normalize(encoder.get_image_features(squares).pooler_output, dim=-1)[:, None]


def text_context(encoder: CLIPModel, input_ids: Tensor) -> Tensor:
    """(b, 1, d) of words."""
    return F.normalize(encoder.get_text_features(input_ids).pooler_output, dim=-1)[:, None]


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


def clip_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of transformers' ``CLIPConfig`` from ``clip.model`` without prefix."""
    words, text_width = shape_of(state, "text_model.embeddings.token_embedding.weight", "CLIP")
    width, _, patch, _ = shape_of(state, "vision_model.embeddings.patch_embedding.weight", "CLIP")
    tokens = shape_of(state, "vision_model.embeddings.position_embedding.weight", "CLIP")[0]

    def tower(name: str, size: int) -> dict[str, Any]:
        return {
            "hidden_size": size,
            "intermediate_size": shape_of(state, f"{name}.encoder.layers.0.mlp.fc1.weight", "CLIP")[0],
            "num_hidden_layers": count_of(state, rf"{name}\.encoder\.layers\.(\d+)\."),
            "num_attention_heads": max(size // 64, 1),
            "hidden_act": "quick_gelu",
        }

    length = shape_of(state, "text_model.embeddings.position_embedding.weight", "CLIP")[0]
    ids = {"bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": 0}
    return {
        "text_config": tower("text_model", text_width) | {"vocab_size": words, "max_position_embeddings": length} | ids,
        "vision_config": tower("vision_model", width)
        | {"patch_size": patch, "image_size": patch * round((tokens - 1) ** 0.5)},
        "projection_dim": shape_of(state, "text_projection.weight", "CLIP")[0],
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
# The temporal attention of its image tower is for videos as conditions, which nothing here is conditioned on.
CLIP_TABLE = KeyTable(unused=r".+\.temporal_self_attn\..+|.+\.position_ids")


def read_encoder(name: str, state: Mapping[str, Tensor], device: str = "cpu") -> Any:
    """``"clap"`` or ``"clip"`` from its released weights, which stay where they are."""
    # not on the meta device: what the networks compute when they are made would be lost
    with torch.device(device):
        if name == "clip":
            network, table = CLIPModel(CLIPConfig(**clip_config(state))), CLIP_TABLE
        else:
            network, table = ClapAudioModelWithProjection(ClapAudioConfig(**clap_config(state))), CLAP_TABLE
    own = network.state_dict()
    like = {key: x for key, x in own.items() if not key.endswith(_COMPUTED)}
    network.load_state_dict(own | table.to_ours(state, like, name), assign=True)
    return network.eval()
