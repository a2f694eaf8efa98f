"""diffusers' transformer with the sound held, as ltx-core 1.2.0 runs it.

Three things differ in diffusers 0.42 where the sound is held, and are cured from outside: cross-modal scale and shift
follow the stream's own timesteps and only the gate those of the other stream; guidance by skipped self-attention skips
that of the video alone; tokens of the first latent frame are marked in LTX-2.5.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from asva_baselines.ltx2.tokens import VideoTokens
from asva_baselines.ltx2.words import Words

STEPS = 1000  # timesteps of the network for a noise level of 1


def predict_clean(
    transformer: Any,
    tokens: Tensor,
    sigma: Tensor,
    video: VideoTokens,
    sound: Tensor,
    words: Words,
    *,
    isolated: bool = False,
    skipped: Sequence[int] = (),
) -> Tensor:
    """The video without its noise, (b, n, c), in float32.

    Args:
        transformer: ``LTX2VideoTransformer3DModel``.
        tokens: (b, n, c) noisy video.
        sigma: Noise level, 0 to 1.
        video: What is known, and where tokens lie.
        sound: (b, l, d) of :func:`asva_baselines.ltx2.sound.sound_tokens`.
        words: See :class:`Words`.
        isolated: Whether video and sound do not see each other.
        skipped: Blocks whose self-attention over the video gives its values alone.
    """
    each = (1 - video.mask[..., 0]) * sigma
    whole = each.new_full((len(tokens),), STEPS) * sigma
    still = torch.zeros_like(whole)
    kind = words.video.dtype
    with _cured(transformer, each * STEPS, skipped):
        velocity, _ = transformer(
            tokens.to(kind),
            sound.to(kind),
            words.video,
            words.audio,
            timestep=each * STEPS,
            audio_timestep=still,
            sigma=whole,
            audio_sigma=still,
            encoder_attention_mask=words.mask,
            audio_encoder_attention_mask=words.mask,
            audio_num_frames=sound.shape[1],
            video_coords=video.coords,
            isolate_modalities=isolated,
            use_cross_timestep=True,
            video_keyframes_mask=video.marks,
            return_dict=False,
        )
    return tokens - velocity.float() * each[..., None]


@contextmanager
def _cured(transformer: Any, timesteps: Tensor, skipped: Sequence[int]) -> Generator[None]:
    """Scale and shift between the streams by their own timesteps, (b, n) and 0; attention that is its values alone."""
    from diffusers.models.transformers.transformer_ltx2 import LTX2PerturbedAttnProcessor

    own = {
        transformer.av_cross_attn_video_scale_shift: timesteps.flatten(),
        transformer.av_cross_attn_audio_scale_shift: timesteps.new_zeros(len(timesteps)),
    }
    hooks = [
        module.register_forward_pre_hook(lambda _, args, value=value: (value, *args[1:]))
        for module, value in own.items()
    ]
    for layer in (transformer.transformer_blocks[block].attn1 for block in skipped):
        if not isinstance(layer.processor, LTX2PerturbedAttnProcessor):  # LTX-2.0's, which cannot skip, else its equal
            layer.processor = LTX2PerturbedAttnProcessor()
        hooks.append(layer.register_forward_pre_hook(_skip, with_kwargs=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _skip(layer: Any, args: Any, kwargs: Any) -> Any:
    return args, kwargs | {"all_perturbed": True}
