"""Checks at the door of the transformer: one clear line instead of a shape error deep inside."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

TRACKS = ("speech_embeds", "effects_embeds", "music_embeds")


def check_config(config: Mapping) -> None:
    """Raise ValueError if the arguments of ``MTVTransformer3DModel`` contradict one another."""
    for name in ("patch_size_t", "ofs_embed_dim"):
        if config[name] is not None:
            raise ValueError(
                f"`{name}` must be None, got {config[name]}: MTV's intervals are one latent frame long; take a base of "
                "the CogVideoX 1.0 family."
            )
    if config["temporal_compression_ratio"] != 4:
        raise ValueError(f"`temporal_compression_ratio` must be 4, got {config['temporal_compression_ratio']}.")
    if config["num_speakers"] not in (1, 2):
        raise ValueError(f"`num_speakers` must be 1 or 2, got {config['num_speakers']}.")
    if config["injection_interval"] < 1:
        raise ValueError(f"`injection_interval` must be at least 1, got {config['injection_interval']}.")
    if config["audio_dim"] % config["interaction_heads"]:
        raise ValueError(
            f"`audio_dim` must be a multiple of `interaction_heads` ({config['interaction_heads']}), "
            f"got {config['audio_dim']}."
        )


def check_sample(config: Mapping, hidden_states: Tensor, encoder_hidden_states: Tensor) -> None:
    """Raise ValueError if the base cannot take these latents and this text."""
    channels = sorted({config["in_channels"], config["out_channels"]})
    if hidden_states.ndim != 5 or hidden_states.shape[2] not in channels:
        allowed = " or ".join(map(str, channels))
        raise ValueError(f"`hidden_states` must have shape (b, t, {allowed}, h, w), got {tuple(hidden_states.shape)}.")
    b, t, _, height, width = hidden_states.shape
    if not b * t or height % config["patch_size"] or width % config["patch_size"]:
        raise ValueError(
            f"`hidden_states` must have frames, and a height and width divisible by {config['patch_size']}, "
            f"got {tuple(hidden_states.shape)}."
        )
    if config["use_learned_positional_embeddings"]:
        fixed = (latent_frames(config["sample_frames"]), config["sample_height"], config["sample_width"])
        if (t, height, width) != fixed:
            raise ValueError(
                f"`hidden_states` must have the frames, height and width {fixed} that the base has learned positions "
                f"for, got {(t, height, width)}; a base without learned positions takes others."
            )
    text = encoder_hidden_states
    if text.ndim != 3 or text.shape[0] != b or text.shape[2] != config["text_embed_dim"]:
        raise ValueError(
            f"`encoder_hidden_states` must have shape ({b}, l, {config['text_embed_dim']}), got {tuple(text.shape)}."
        )
    positions = config["use_learned_positional_embeddings"] or not config["use_rotary_positional_embeddings"]
    if positions and text.shape[1] != config["max_text_seq_length"]:
        raise ValueError(
            f"`encoder_hidden_states` must hold {config['max_text_seq_length']} tokens, got {text.shape[1]}: "
            "pad the prompt."
        )


def check_times(timestep: Tensor, clean_frame_mask: Tensor | None, b: int, t: int) -> None:
    """Raise ValueError if timesteps and mask do not fit (b, t) latent frames."""
    if timestep.shape not in ((), (1,), (b,), (b, t)):
        raise ValueError(f"`timestep` must have shape {(b,)} or {(b, t)}, got {tuple(timestep.shape)}.")
    if clean_frame_mask is None:
        return
    if clean_frame_mask.dtype != torch.bool or clean_frame_mask.shape not in ((t,), (1, t), (b, t)):
        raise ValueError(
            f"`clean_frame_mask` must be boolean of shape {(b, t)}, True where a latent frame is given, got "
            f"{clean_frame_mask.dtype} of shape {tuple(clean_frame_mask.shape)}."
        )


def check_tracks(config: Mapping, tracks: Mapping[str, Tensor | None]) -> None:
    """Raise ValueError if the audio features of the tracks do not fit the model or one another."""
    given = {name: track for name, track in tracks.items() if track is not None}
    if not given:
        raise ValueError(f"One of {TRACKS} must be given, got None for each.")
    shape = tuple(config[name] for name in ("audio_window", "audio_layers", "audio_channels"))
    clips: tuple | None = None
    for name, track in given.items():
        speakers = (config["num_speakers"],) if name == "speech_embeds" and config["num_speakers"] > 1 else ()
        wanted = ", ".join(map(str, ("b", *speakers, "4k + 1", *shape)))
        if track.ndim != 5 + len(speakers) or track.shape[-3:] != shape or track.shape[1:-4] != speakers:
            raise ValueError(f"`{name}` must have shape ({wanted}), got {tuple(track.shape)}.")
        frames = track.shape[-4]
        if frames == 0 or frames % 4 != 1:
            hint = "it is empty" if frames == 0 else f"pad it to {frames + (1 - frames) % 4} with silence"
            raise ValueError(f"`{name}` must hold 4k + 1 video frames, got {frames}: {hint}.")
        clips = clips or (name, track.shape[0], frames)
        if (track.shape[0], frames) != clips[1:]:
            raise ValueError(
                f"`{name}` must hold as many clips and frames as `{clips[0]}`, {clips[1:]}, "
                f"got {(track.shape[0], frames)}."
            )


def check_tokens(frames: int, clips: int, b: int, t: int) -> None:
    """Raise ValueError if audio tokens of `clips` clips and `frames` latent frames do not fit the latents."""
    if frames != t or clips not in (1, b):
        raise ValueError(
            f"The audio must cover the {t} latent frames ({4 * t - 3} video frames) of {b} clip(s), "
            f"got {frames} ({4 * frames - 3}) of {clips}."
        )


def latent_frames(num_frames: int) -> int:
    """Latent frames of ``4k + 1`` video frames.

    >>> latent_frames(49), latent_frames(1)
    (13, 1)

    Raises:
        ValueError: If `num_frames` is not ``4k + 1``.
    """
    if num_frames < 1 or num_frames % 4 != 1:
        raise ValueError(f"`num_frames` must be 4k + 1 (1, 5, 9, ..., 49), got {num_frames}.")
    return (num_frames - 1) // 4 + 1
