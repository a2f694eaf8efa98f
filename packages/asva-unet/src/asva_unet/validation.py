"""Checks at the door of the U-Net: one clear line instead of a shape error deep inside."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from asva_unet.conditions import UNetConditions

PREDICTION_TYPES = ("v_prediction", "epsilon", "sample", "residual")


def check_config(
    block_out_channels: Sequence[int],
    attention_levels: Sequence[bool],
    attention_head_dim: int,
    norm_num_groups: int,
    prediction_type: str,
) -> None:
    """Raise ValueError if the U-Net's arguments contradict one another."""
    if len(attention_levels) != len(block_out_channels):
        raise ValueError(
            f"`attention_levels` must have one entry per level ({len(block_out_channels)}), got {attention_levels}."
        )
    for channels in block_out_channels:
        if channels % norm_num_groups or channels % attention_head_dim:
            raise ValueError(
                f"`block_out_channels` must be multiples of `norm_num_groups` ({norm_num_groups}) and "
                f"`attention_head_dim` ({attention_head_dim}), got {channels}."
            )
    if prediction_type not in PREDICTION_TYPES:
        raise ValueError(f"`prediction_type` must be one of {PREDICTION_TYPES}, got {prediction_type!r}.")


def check_inputs(
    config: Mapping,
    sample: Tensor,
    text: Tensor | None,
    image: Tensor | None,
    audio: Tensor | None,
    fps: Tensor | int | None,
    frame_indices: Tensor | None,
    conditions: UNetConditions | None,
) -> None:
    """Raise ValueError if the arguments of the U-Net's forward do not fit its config or one another."""
    channels, factor = config["in_channels"], 2 ** (len(config["block_out_channels"]) - 1)
    if sample.ndim != 5 or sample.shape[2] != channels:
        raise ValueError(f"`sample` must have shape (b, t, {channels}, h, w), got {tuple(sample.shape)}.")
    if sample.shape[3] % factor or sample.shape[4] % factor:
        raise ValueError(f"`sample` must have a height and width divisible by {factor}, got {tuple(sample.shape)}.")
    b, t = sample.shape[:2]
    if config["frame_rate_embedding"] and fps is None:
        raise ValueError("`fps` must be given (frames per second of `sample`), got None.")
    if config["frame_index_embedding"] and (frame_indices is None or frame_indices.shape != (b, t)):
        got = None if frame_indices is None else tuple(frame_indices.shape)
        raise ValueError(f"`frame_indices` must have shape {(b, t)}, got {got}.")
    if conditions is not None:
        if conditions.batch_size not in (1, b):
            raise ValueError(f"`conditions` must hold 1 or {b} clips, got {conditions.batch_size}.")
        check_frames(conditions, t)
        return
    if text is None:
        raise ValueError("`encoder_hidden_states` must be given unless `conditions` is, got None.")
    width = config["cross_attention_dim"]
    _check_tokens("encoder_hidden_states", text, (b, None, width))
    if image is not None:
        if not config["image_cross_attention"]:
            raise ValueError("`image_embeds` must be None unless `image_cross_attention` is True, got tokens.")
        _check_tokens("image_embeds", image, (b, 1 if image.shape[1:2] == (1,) else t, None, width))
    if audio is not None:
        _check_tokens("audio_embeds", audio, (b, t, None, config["audio_embed_dim"]))


def check_frames(conditions: UNetConditions, num_frames: int) -> None:
    """Raise ValueError if the conditions were encoded for another number of frames."""
    if others := conditions.num_frames - {num_frames}:
        raise ValueError(f"`conditions` must be encoded for {num_frames} frames, got {sorted(others)[0]}.")


def check_audio_window(config: Mapping, b: int, tokens: Tensor | None, mask: Tensor | None) -> None:
    """Raise ValueError if the sound for the audio windows does not fit the configuration or itself."""
    if tokens is None:
        if mask is not None:
            raise ValueError("`audio_window_embeds` must be given with `audio_window_mask`, got None.")
        return
    if not config["audio_window_attention"]:
        raise ValueError(
            "`audio_window_embeds` must be None unless `audio_window_attention` is True, got tokens: "
            "see `with_audio_window`."
        )
    _check_tokens("audio_window_embeds", tokens, (b, None, config["audio_window_dim"]))
    if mask is None:
        return
    if mask.dtype is not torch.bool:
        raise ValueError(f"`audio_window_mask` must be bool, True where a frame hears a token, got {mask.dtype}.")
    n = tokens.shape[1]
    if mask.ndim not in (2, 3) or mask.shape[-1] != n or (mask.ndim == 3 and mask.shape[0] not in (1, b)):
        raise ValueError(f"`audio_window_mask` must have shape ({b}, t, {n}) or (t, {n}), got {tuple(mask.shape)}.")


def _check_tokens(name: str, tokens: Tensor, shape: tuple[int | None, ...]) -> None:
    fits = tokens.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, tokens.shape, strict=True))
    if not fits:
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        raise ValueError(f"`{name}` must have shape ({wanted}), got {tuple(tokens.shape)}.")
