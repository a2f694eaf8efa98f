"""Names that guided diffusion gave to the layers of a U-Net, for networks of diffusers; two systems inherited them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asva_weights.key_table import Rows

LAYERS: Rows = (
    (r"^conv_in\.", "input_blocks.0.0."),
    (r"^time_embedding\.linear_1\.", "time_embed.0."),
    (r"^time_embedding\.linear_2\.", "time_embed.2."),
    (r"^conv_norm_out\.", "out.0."),
    (r"^conv_out\.", "out.2."),
    (r"^mid_block\.resnets\.0\.", "middle_block.0."),
    (r"^mid_block\.attentions\.0\.", "middle_block.1."),
    (r"^mid_block\.resnets\.1\.", "middle_block.2."),
    (r"\.norm1\.", ".in_layers.0."),
    (r"\.conv1\.", ".in_layers.2."),
    (r"\.time_emb_proj\.", ".emb_layers.1."),
    (r"\.norm2\.", ".out_layers.0."),
    (r"\.conv2\.", ".out_layers.3."),
    (r"\.conv_shortcut\.", ".skip_connection."),
)


def block_rows(layers_per_block: int, attention_levels: Sequence[bool]) -> Iterator[tuple[str, str]]:
    """Rows of the blocks on the way down and up, which the original numbers through."""
    for level in range(len(attention_levels)):
        for name, blocks, first, count, sampler in (
            ("down", "input_blocks", 1 + level * (layers_per_block + 1), layers_per_block, "downsamplers"),
            ("up", "output_blocks", level * (layers_per_block + 1), layers_per_block + 1, "upsamplers"),
        ):
            block = rf"^{name}_blocks\.{level}\."
            for layer in range(count):
                yield rf"{block}resnets\.{layer}\.", f"{blocks}.{first + layer}.0."
                yield rf"{block}attentions\.{layer}\.", f"{blocks}.{first + layer}.1."
            child = 0 if name == "down" else 2 if attention_levels[-1 - level] else 1
            yield rf"{block}{sampler}\.0\.", f"{blocks}.{first + layers_per_block}.{child}."
