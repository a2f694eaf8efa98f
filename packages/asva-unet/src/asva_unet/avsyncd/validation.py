"""Checks at the door of AVSyncD's U-Net."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from asva_unet.avsyncd.conditions import AVSyncDConditions


def attention_levels(
    down_block_types: Sequence[str], up_block_types: Sequence[str], block_out_channels: Sequence[int]
) -> tuple[bool, ...]:
    """Which resolutions have transformers, finest first.

    Raises:
        ValueError: If the types do not belong together.
    """
    down, up = (["CrossAttn" in name for name in names] for names in (down_block_types, up_block_types))
    if len(down) != len(block_out_channels) or up != down[::-1]:
        raise ValueError(
            "`up_block_types` must mirror `down_block_types`, each with one entry per level "
            f"({len(block_out_channels)}), got {tuple(down_block_types)} and {tuple(up_block_types)}."
        )
    return tuple(down)


def check_config(block_out_channels: Sequence[int], num_heads: int, norm_num_groups: int, norm_eps: float) -> None:
    """Raise ValueError if the U-Net's arguments contradict one another."""
    if not isinstance(num_heads, int) or num_heads < 1:
        raise ValueError(f"`attention_head_dim` (the number of heads) must be one positive integer, got {num_heads}.")
    for channels in block_out_channels:
        if channels % norm_num_groups or channels % num_heads or channels % 2:
            raise ValueError(
                f"`block_out_channels` must be even and multiples of `norm_num_groups` ({norm_num_groups}) and of the "
                f"number of heads `attention_head_dim` ({num_heads}), got {channels}."
            )
    if norm_eps <= 0:
        raise ValueError(f"`norm_eps` must be positive, got {norm_eps}.")


def check_sample(config: Mapping, sample: Tensor, conditions: AVSyncDConditions | None) -> None:
    """Raise ValueError if the latents do not fit the network or the conditions."""
    channels = config["in_channels"]
    if sample.ndim != 5 or sample.shape[2] != channels or 0 in sample.shape:
        raise ValueError(f"`sample` must have shape (b, t, {channels}, h, w), got {tuple(sample.shape)}.")
    if conditions is None:
        return
    b, t = sample.shape[:2]
    if conditions.batch_size not in (1, b):
        raise ValueError(f"`conditions` must hold 1 or {b} clips, got {conditions.batch_size}.")
    if conditions.num_frames not in (None, t):
        raise ValueError(f"`conditions` must be of {t} frames as `sample` is, got {conditions.num_frames}.")
    if (conditions.audio is None) == config["audio"]:
        wanted, got = ("with", "without") if config["audio"] else ("without", "with")
        raise ValueError(f"`conditions` must be {wanted} sound as the network is, got some {got}.")


def check_tokens(config: Mapping, text: Tensor | None, audio: Tensor | None, audio_mask: Tensor | None) -> None:
    """Raise ValueError if text, sound and mask do not fit the network or one another."""
    if text is None:
        raise ValueError("`encoder_hidden_states` must be given unless `conditions` is, got None.")
    _check_shape("encoder_hidden_states", text, config["cross_attention_dim"])
    if not config["audio"]:
        if audio is not None or audio_mask is not None:
            raise ValueError("`audio_embeds` and `audio_mask` must be None in a network without sound, got a tensor.")
        return
    if audio is None:
        raise ValueError(
            "`audio_embeds` must be given, got None; the null sound is the encoder's answer to a mel of zeros, and "
            "a network without sound has `audio=False`."
        )
    _check_shape("audio_embeds", audio, config["audio_cross_attention_dim"])
    if len(audio) != len(text):
        raise ValueError(f"`audio_embeds` must be of as many clips as the text ({len(text)}), got {len(audio)}.")
    if audio_mask is not None:
        _check_mask(audio_mask, audio)
    frames = {x.shape[1] for x in (text, audio) if x.ndim == 4}
    frames |= set() if audio_mask is None else {audio_mask.shape[-2]}
    if len(frames) > 1:
        raise ValueError(f"text, sound and `audio_mask` must be of equally many frames, got {sorted(frames)}.")


def _check_shape(name: str, tokens: Tensor, width: int) -> None:
    if tokens.ndim not in (3, 4) or tokens.shape[-1] != width or 0 in tokens.shape:
        raise ValueError(f"`{name}` must have shape (b, n, {width}) or (b, t, n, {width}), got {tuple(tokens.shape)}.")


def _check_mask(mask: Tensor, audio: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise ValueError(f"`audio_mask` must be of type bool (True = attend), got {mask.dtype}.")
    b, n = len(audio), audio.shape[-2]
    if mask.ndim not in (2, 3) or mask.shape[-1] != n or (mask.ndim == 3 and len(mask) != b) or 0 in mask.shape:
        raise ValueError(f"`audio_mask` must have shape (t, {n}) or ({b}, t, {n}), got {tuple(mask.shape)}.")
