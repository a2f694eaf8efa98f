"""LTX-2.0, 2.3 and 2.5: what tells them apart, what differs in sampling, and that all parts are of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DISTILLED_ADAPTER = "distilled"  # LoRA that turns full weights into distilled ones


def check_versions(transformer: Any, vae: Any, audio_vae: Any, connectors: Any, latent_upsampler: Any) -> None:
    """Refuse parts that do not go with the transformer.

    Raises:
        ValueError: Naming the part.
    """
    config, texts = transformer.config, connectors.config
    modern = not config.use_prompt_embeddings
    found = {
        "vae": (vae.config.latent_channels, config.in_channels),
        "audio_vae": (
            audio_vae.config.latent_channels * audio_vae.config.mel_bins // audio_vae.mel_compression_ratio,
            config.audio_in_channels,
        ),
        "connectors": (
            (texts.video_hidden_dim, texts.audio_hidden_dim)
            if texts.per_modality_projections
            else texts.caption_channels,
            (config.cross_attention_dim, config.audio_cross_attention_dim) if modern else config.caption_channels,
        ),
    }
    if latent_upsampler is not None:
        found["latent_upsampler"] = (latent_upsampler.config.in_channels, config.in_channels)
    for name, (width, wanted) in found.items():
        if width != wanted:
            raise ValueError(f"`{name}` must be of the transformer's version of LTX-2, {wanted} wide, got {width}.")


def is_first(transformer: Any) -> bool:
    """Whether it is LTX-2.0."""
    return transformer.config.use_prompt_embeddings


def is_latest(transformer: Any) -> bool:
    """Whether it is LTX-2.5."""
    return transformer.config.use_keyframes_abs_pos_embedding


def own_steps(transformer: Any, route: str) -> int:
    """Steps of the first stage."""
    return 8 if route == "distilled" else 40 if is_first(transformer) else 30


def skipped_block(transformer: Any) -> int:
    """The block whose self-attention is skipped for guidance."""
    return min(29 if is_first(transformer) else 28, len(transformer.transformer_blocks) - 1)


def distilled_loras(folder: Path) -> list[Path]:
    """The file of the LoRA that distils in a model folder, if it is there."""
    return sorted(folder.glob("*distilled-lora*.safetensors"))[:1]


def has_distilled(transformer: Any) -> bool:
    """Whether the LoRA that distils is there."""
    return DISTILLED_ADAPTER in getattr(transformer, "peft_config", {})


def set_distilled(transformer: Any, on: bool) -> None:
    """Turn that LoRA on or off, if it is there."""
    if has_distilled(transformer):
        for module in transformer.modules():
            if DISTILLED_ADAPTER in getattr(module, "scaling", {}):
                module.set_scale(DISTILLED_ADAPTER, float(on))
