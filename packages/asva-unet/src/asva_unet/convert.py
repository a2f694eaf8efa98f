"""Weights of the original KeyVID / DynamiCrafter code: what each of our parameters is called there."""

from collections.abc import Sequence

from asva_weights.key_table import KeyTable, Rows

TRANSFORMER_BLOCK_ROWS: Rows = (
    (r"\.block\.", ".transformer_blocks.0."),
    (r"\.ff\.proj_in\.", ".ff.net.0.proj."),
    (r"\.ff\.proj_out\.", ".ff.net.2."),
    (r"\.to_out\.", ".to_out.0."),
    (r"\.to_(k|v)_image\.", r".to_\1_ip."),
    (r"\.to_(k|v)_audio\.", r".to_\1_ap."),
    (r"\.audio_gate$", ".beta"),
    (r"\.distance_keys$", ".relative_position_k.embeddings_table"),
    (r"\.distance_values$", ".relative_position_v.embeddings_table"),
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


VAE_ROWS: Rows = (
    (r"\.down_blocks\.(\d+)\.resnets\.(\d+)\.", r".down.\1.block.\2."),
    (r"\.down_blocks\.(\d+)\.downsamplers\.0\.", r".down.\1.downsample."),
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."),
    (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.group_norm\.", ".mid.attn_1.norm."),
    (r"\.mid_block\.attentions\.0\.to_(q|k|v)\.", r".mid.attn_1.\1."),
    (r"\.mid_block\.attentions\.0\.to_out\.0\.", ".mid.attn_1.proj_out."),
    (r"\.conv_shortcut\.", ".nin_shortcut."),
    (r"\.conv_norm_out\.", ".norm_out."),
)

CLIP_BLOCK_ROWS: Rows = (
    (r"encoder\.layers\.", "transformer.resblocks."),
    (r"\.self_attn\.q_proj\.(weight|bias)$", r".attn.in_proj_\1#3:0"),
    (r"\.self_attn\.k_proj\.(weight|bias)$", r".attn.in_proj_\1#3:1"),
    (r"\.self_attn\.v_proj\.(weight|bias)$", r".attn.in_proj_\1#3:2"),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"\.layer_norm([12])\.", r".ln_\1."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
)

TEXT_ROWS: Rows = (
    (r"^text_model\.", ""),
    (r"^embeddings\.token_embedding\.", "token_embedding."),
    (r"^embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^final_layer_norm\.", "ln_final."),
    *CLIP_BLOCK_ROWS,
)

VISION_TABLE = KeyTable(
    (
        (r"^vision_model\.", ""),
        (r"^embeddings\.class_embedding$", "class_embedding"),
        (r"^embeddings\.patch_embedding\.", "conv1."),
        (r"^embeddings\.position_embedding\.weight$", "positional_embedding"),
        (r"^pre_layrnorm\.", "ln_pre."),
        (r"^post_layernorm\.", "ln_post."),
        *CLIP_BLOCK_ROWS,
        (r"^", "visual."),
    ),
    unused=r"text_projection|logit_scale|token_embedding\.weight|positional_embedding|ln_final\..+|visual\.proj",
)

RESAMPLER_TABLE = KeyTable(
    (
        (r"\.norm_tokens\.", ".0.norm1."),
        (r"\.norm_latents\.", ".0.norm2."),
        (r"\.to_(q|kv|out)\.", r".0.to_\1."),
        (r"\.norm_ff\.", ".1.0."),
        (r"\.ff_in\.", ".1.1."),
        (r"\.ff_out\.", ".1.3."),
    )
)


def text_table(num_hidden_layers: int) -> KeyTable:
    """The table of CLIP's text encoder, which stops before the original's last block."""
    return KeyTable(TEXT_ROWS, unused=rf"text_projection|logit_scale|transformer\.resblocks\.{num_hidden_layers}\..+")


def vae_table(levels: int) -> KeyTable:
    """The table of diffusers' ``AutoencoderKL``; the original counts the decoder's levels from the finest."""
    rows = []
    for level in range(levels):
        theirs = f"decoder.up.{levels - 1 - level}"
        rows.append((rf"^decoder\.up_blocks\.{level}\.resnets\.(\d+)\.", rf"{theirs}.block.\1."))
        rows.append((rf"^decoder\.up_blocks\.{level}\.upsamplers\.0\.", f"{theirs}.upsample."))
    return KeyTable((*rows, *VAE_ROWS), ((r".*\.attn_1\.(q|k|v|proj_out)\.weight", 4),))
