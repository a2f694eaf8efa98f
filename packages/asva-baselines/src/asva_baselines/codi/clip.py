"""CoDi's CLIP: words, a picture or a video each become one vector of length 1 (CoDi, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, PreTrainedModel  # noqa: F401 (diffusers looks for the last, too)
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from asva_baselines.codi.temporal import TEMPORAL_ROWS, TemporalAttention
from asva_unet.openclip import CLIP_MEAN, CLIP_STD
from asva_weights import count_of, shape_of
from asva_weights.key_table import KeyTable


class TimedLayer(CLIPEncoderLayer):
    """A layer of the image tower, in which the tokens of a video look along time, too."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.temporal = TemporalAttention(config.hidden_size, config.num_attention_heads, config.hidden_size)
        self.temporal.ff_gain = nn.Parameter(self.temporal.ff_gain[None])  # an axis as in the released file

    def forward(  # ty: ignore[incompatible-method-override]
        self, hidden_states: Tensor, attention_mask: Any, *, num_frames: int = 1, **kwargs: Any
    ) -> Tensor:
        """(b * t, n, d) tokens of frames; one alone is a picture."""
        x = hidden_states + self.self_attn(self.layer_norm1(hidden_states), attention_mask=attention_mask, **kwargs)[0]
        if num_frames > 1:
            x = self.temporal(x.unflatten(0, (-1, num_frames)).transpose(1, 2)).transpose(1, 2).flatten(0, 1)
        return x + self.mlp(self.layer_norm2(x))


class CoDiCLIP(CLIPModel):
    """CLIP whose image tower sees videos, too."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__(config)
        tower: Any = config.vision_config
        self.vision_model.encoder.layers = nn.ModuleList(TimedLayer(tower) for _ in range(tower.num_hidden_layers))

    def forward(self, input_ids: Tensor | None = None, pixel_values: Any = None) -> Tensor:
        """(b, 1, d) of words (b, n), or of pictures (b, 3, h, w) or videos (b, t, 3, h, w), see :func:`clip_pixels`."""
        if input_ids is not None:
            embeds = self.get_text_features(input_ids).pooler_output
        else:
            count = pixel_values.shape[1] if pixel_values.ndim == 5 else 1
            seen = self.vision_model(pixel_values.flatten(0, -4), num_frames=count).last_hidden_state[:, 0]
            whole = seen.unflatten(0, (-1, count)).mean(1)
            embeds = self.visual_projection(self.vision_model.post_layernorm(whole))
        return F.normalize(embeds, dim=-1)[:, None]


def clip_pixels(pixels: Tensor, size: int) -> Tensor:
    """Pictures (..., 3, h, w) in [-1, 1] as the image tower sees them: 256 values, the middle square, bicubic."""
    squares = []
    for picture in ((pixels + 1) * 127.5).byte().flatten(0, -4).permute(0, 2, 3, 1).numpy():
        height, width = picture.shape[:2]
        scale = size / min(height, width)
        whole = Image.fromarray(picture).resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
        left, top = (whole.width - size) // 2, (whole.height - size) // 2
        squares.append(np.asarray(whole.crop((left, top, left + size, top + size))))
    mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    seen = (torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2) / 255 - mean) / std
    return seen.unflatten(0, pixels.shape[:-3])


def clip_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of transformers' ``CLIPConfig`` from ``clip.model`` without prefix."""
    words, text_width = shape_of(state, "text_model.embeddings.token_embedding.weight", "CLIP")
    width, _, patch, _ = shape_of(state, "vision_model.embeddings.patch_embedding.weight", "CLIP")
    tokens = shape_of(state, "vision_model.embeddings.position_embedding.weight", "CLIP")[0]
    distance = "vision_model.encoder.layers.0.temporal_self_attn.temporal_rel_pos_bias.net.2.weight"
    heads = shape_of(state, distance, "CLIP")[0]

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
        | {"patch_size": patch, "image_size": patch * round((tokens - 1) ** 0.5), "num_attention_heads": heads},
        "projection_dim": shape_of(state, "text_projection.weight", "CLIP")[0],
    }


# Its temporal layers have positions, too, which the original never adds.
CLIP_TABLE = KeyTable(
    (*TEMPORAL_ROWS, (r"\.temporal\.", ".temporal_self_attn.")),
    ndim=((r".*\.ff\.proj_.*", 3),),
    unused=r".+\.(pos|frame_rate)_embeds|.+\.position_ids",
)
