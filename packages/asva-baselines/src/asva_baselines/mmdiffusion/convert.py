"""What each weight of MM-Diffusion's two networks is called in the released files."""

from __future__ import annotations

from typing import Any

from asva_weights.key_table import KeyTable, Rows

_STREAMS: Rows = (
    (r"\.(video|audio)\.norm1\.", r".\1_in_layers.0.GroupNorm."),
    (r"\.audio\.conv1\.", ".audio_in_layers.2.audio_conv."),
    (r"\.video\.conv1\.(spatial|temporal)\.", r".video_in_layers.2.video_conv_\1."),
    (r"\.(video|audio)\.norm2\.", r".\1_out_layers.0.GroupNorm."),
    (r"\.(video|audio)\.conv2\.", r".\1_out_layers.3.\1_conv."),
    (r"\.(video|audio)\.shortcut\.", r".\1_skip_connection.\1_conv."),
    (r"\.time\.", ".emb_layers.1."),
    (r"\.(spatial|temporal|audio)_attention\.norm\.", r".\1_attention_block.norm.GroupNorm."),
    (r"\.(spatial|temporal|audio)_attention\.", r".\1_attention_block."),
    (r"\.(v|a)(ideo|udio)_norm\.", r".\1_norm.GroupNorm."),
    (r"\.(v|a)(ideo|udio)_qkv\.", r".\1_qkv."),
    (r"\.(video|audio)_out\.", r".\1_proj_out.\1_conv."),
)
_ENDS: Rows = (
    (r"^time_linear_1\.", "time_embed.0."),
    (r"^time_linear_2\.", "time_embed.2."),
    (r"^video_in\.(spatial|temporal)\.", r"input_blocks.0.0.video_conv.video_conv_\1."),
    (r"^audio_in\.", "input_blocks.0.0.audio_conv.audio_conv."),
    (r"^(video|audio)_out\.", r"\1_out.2.\1_conv."),
    (r"^(video|audio)_norm\.", r"\1_out.0.GroupNorm."),
    (r"^middle\.0\.block\.", "middle_blocks.0."),
    (r"^middle\.0\.cross\.", "middle_blocks.1."),
)


def unet_table(network: Any) -> KeyTable:
    """The table of a :class:`MultimodalUNet`; the original numbers what is there."""
    rows = [(r"^middle\.1\.block\.", f"middle_blocks.{2 if network.config.middle_cross_attention else 1}.")]
    for ours, theirs, first in (("down", "input_blocks", 1), ("up", "output_blocks", 0)):
        for index, layer in enumerate(getattr(network, ours)):
            for child, part in enumerate(("block", *(name for name in ("cross", "grow") if getattr(layer, name)))):
                rows.append((rf"^{ours}\.{index}\.{part}\.", f"{theirs}.{index + first}.{child}."))
    return KeyTable((*_ENDS, *rows, *_STREAMS))
