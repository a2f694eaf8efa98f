"""A text-to-video network whose words differ from frame to frame (TempoTokens, section 3)."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet3DConditionModel
from torch import Tensor

from asva_audio import BEATsEncoder
from asva_baselines.tempotokens.mapper import WORDS
from asva_unet.text_audio import BRANCHES


def all_layers(audio_encoder: BEATsEncoder, fbank: Tensor) -> Tensor:
    """(b, n, layers * d) what each layer of BEATs answers, beside each other."""
    states = audio_encoder(fbank.to(audio_encoder.dtype), output_hidden_states=True).hidden_states
    return torch.cat(states[1:], dim=-1)


def word_ids(tokenizer: Any, text_encoder: Any) -> Tensor:
    """Ids (2, n) of a prompt of six words, which :func:`frame_contexts` puts others in place of, and of one of none."""
    length = min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings)
    first, last, *rest = tokenizer("", padding="max_length", max_length=length).input_ids
    return torch.tensor([[first, *[last] * WORDS, last, *rest[: length - WORDS - 2]], [first, last, *rest]])


def frame_contexts(text_encoder: Any, ids: Tensor, words: Tensor) -> Tensor:
    """Hidden states (b, t, n, d) of prompts that hold the words (b, t, 6, d) after their first token.

    Args:
        text_encoder: CLIP's.
        ids: (n,) of a prompt; those of its six words do not matter.
        words: In the width of the encoder's embeddings, to which positions are then added.
    """
    flat = words.flatten(0, 1)

    def put(layer: Any, inputs: Any, embeds: Tensor) -> Tensor:
        del layer, inputs
        return torch.cat([embeds[:, :1], flat.to(embeds), embeds[:, 1 + WORDS :]], dim=1)

    hook = text_encoder.get_input_embeddings().register_forward_hook(put)
    try:
        hidden = text_encoder(ids.expand(len(flat), -1)).last_hidden_state
    finally:
        hook.remove()
    return hidden.unflatten(0, words.shape[:2])


class _OfFrames(Tensor):
    """Contexts (b * t, n, d), one for each frame, where the network expects one for each clip and repeats it."""

    def repeat_interleave(self, *args: Any, **kwargs: Any) -> Tensor:
        """As they are."""
        return self.as_subclass(Tensor)


def predict_noise(unet: UNet3DConditionModel, sample: Tensor, timestep: Tensor, contexts: Tensor) -> Tensor:
    """The network's answer (b, t, c, h, w).

    Args:
        unet: Its own forward pass gives every frame of a clip the same words.
        sample: (b, t, c, h, w) noisy latents.
        timestep: (b,) time steps.
        contexts: (b, t, n, d), see :func:`frame_contexts`.
    """
    flat = contexts.to(sample.dtype).flatten(0, 1).as_subclass(_OfFrames)
    return unet(sample.transpose(1, 2), timestep, encoder_hidden_states=flat, return_dict=False)[0].transpose(1, 2)


class FrameWordsNetwork:
    """``predict`` of :func:`asva_unet.denoise`.

    Args:
        unet: Text to video.
        contexts: (b, t, n, d) with the sound (True) and without (False).
    """

    def __init__(self, unet: UNet3DConditionModel, contexts: dict[bool, Tensor]) -> None:
        self.unet, self.contexts = unet, contexts
        self.dtype = unet.dtype  # asked once: diffusers walks through all modules for it

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
        """Answer for the named branches, laid one behind the other along the batch."""
        contexts = torch.cat([self.contexts[BRANCHES[branch][1]] for branch in branches])
        return predict_noise(self.unet, sample.to(self.dtype), timestep, contexts).float()
