"""Weights of the original KeyVID / DynamiCrafter code: what each of our parameters is called there."""

from collections.abc import Sequence

from asva_unet.key_table import KeyTable, Rows

TRANSFORMER_BLOCK_ROWS: Rows = (
    (r"\.block\.", ".transformer_blocks.0."),
    (r"\.ff\.proj_in\.", ".ff.net.0.proj."),
    (r"\.ff\.proj_out\.", ".ff.net.2."),
    (r"\.to_out\.", ".to_out.0."),
    (r"\.to_(k|v)_image\.", r".to_\1_ip."),
    (r"\.to_(k|v)_audio\.", r".to_\1_ap."),
    (r"\.audio_gate$", ".beta"),
)

LAYER_ROWS: Rows = (
    (r"\.resnet\.norm1\.", ".0.in_layers.0."),
    (r"\.resnet\.conv1\.", ".0.in_layers.2."),
    (r"\.resnet\.time_emb_proj\.", ".0.emb_layers.1."),
    (r"\.resnet\.norm2\.", ".0.out_layers.0."),
    (r"\.resnet\.conv2\.", ".0.out_layers.3."),
    (r"\.resnet\.conv_shortcut\.", ".0.skip_connection."),
    (r"\.temporal_conv\.norms\.0\.", ".0.temopral_conv.conv1.0."),
    (r"\.temporal_conv\.norms\.1\.", ".0.temopral_conv.conv2.0."),
    (r"\.temporal_conv\.norms\.2\.", ".0.temopral_conv.conv3.0."),
    (r"\.temporal_conv\.norms\.3\.", ".0.temopral_conv.conv4.0."),
    (r"\.temporal_conv\.convs\.0\.", ".0.temopral_conv.conv1.2."),
    (r"\.temporal_conv\.convs\.1\.", ".0.temopral_conv.conv2.3."),
    (r"\.temporal_conv\.convs\.2\.", ".0.temopral_conv.conv3.3."),
    (r"\.temporal_conv\.convs\.3\.", ".0.temopral_conv.conv4.3."),
    (r"\.attention\.", ".1."),
    (r"\.temporal_attention\.", ".2."),
    (r"^mid_block\.layers\.0\.", "middle_block."),
    (r"^mid_block\.layers\.1\.0\.", "middle_block.3."),
)

UNET_ROWS: Rows = (
    (r"^time_embedding\.linear_1\.", "time_embed.0."),
    (r"^time_embedding\.linear_2\.", "time_embed.2."),
    (r"^fps_embedding\.linear_1\.", "fps_embedding.0."),
    (r"^fps_embedding\.linear_2\.", "fps_embedding.2."),
    (r"^index_embedding\.linear_1\.", "frame_idx_embedding.0."),
    (r"^index_embedding\.linear_2\.", "frame_idx_embedding.2."),
    (r"^audio_projection\.", "audio_proj_2."),
    (r"^conv_in\.", "input_blocks.0.0."),
    (r"^init_transformer\.", "init_attn.0."),
    (r"^conv_norm_out\.", "out.0."),
    (r"^conv_out\.", "out.2."),
)

UNET_NDIM = (
    (r".*\.temopral_conv\.conv1\.2\.weight", 5),
    (r".*\.temopral_conv\.conv[234]\.3\.weight", 5),
    (r"init_attn\.0\.proj_(in|out)\.weight", 3),
)


def unet_table(layers_per_block: int, attention_levels: Sequence[bool]) -> KeyTable:
    """The table of ``KeyVIDUNet``; the original numbers its blocks through, so it depends on the layout."""
    levels = len(attention_levels)
    rows = []
    for level in range(levels):
        first = 1 + level * (layers_per_block + 1)
        for layer in range(layers_per_block):
            rows.append((rf"^down_blocks\.{level}\.layers\.{layer}\.", f"input_blocks.{first + layer}."))
        rows.append((rf"^down_blocks\.{level}\.sampler\.conv\.", f"input_blocks.{first + layers_per_block}.0.op."))
        first = level * (layers_per_block + 1)
        for layer in range(layers_per_block + 1):
            rows.append((rf"^up_blocks\.{level}\.layers\.{layer}\.", f"output_blocks.{first + layer}."))
        child = 3 if attention_levels[levels - 1 - level] else 1
        rows.append((rf"^up_blocks\.{level}\.sampler\.", f"output_blocks.{first + layers_per_block}.{child}."))
    return KeyTable((*rows, *UNET_ROWS, *LAYER_ROWS, *TRANSFORMER_BLOCK_ROWS), UNET_NDIM)
