"""A pretrained network with layers that it had not, so far without effect (KeyVID code; open-domain, section 4)."""

import re
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

# Layers behind which nothing passes until they have learned.
_SILENT = re.compile(r"(norm\.bias|to_out\.weight|to_[kv]_audio\.weight|audio_gate|index_embedding\.linear_2\..+)$")


def extended(network: Network, generator: torch.Generator | None = None, **config: Any) -> Network:
    """The same network with a config that gives it more layers, which answers as before until it is trained.

    Args:
        network: Pretrained; its weights are shared, not copied.
        generator: Of the new layers' first weights, on the CPU; a fresh one if None.
        config: What is new.
    """
    config_of: Any = network.config
    arguments = {name: value for name, value in config_of.items() if not name.startswith("_")}
    with torch.device("meta"):
        larger = type(network)(**{**arguments, **config})
    pretrained = dict(network.named_parameters())
    like = next(iter(pretrained.values()))
    new = {name: value for name, value in larger.named_parameters() if name not in pretrained}
    first = {name: value.to(like.device, like.dtype) for name, value in _first_weights(new, generator).items()}
    larger.load_state_dict({**pretrained, **first}, assign=True)
    return larger.train(network.training)


def with_audio(
    unet: Network, *, audio_embed_dim: int, frame_index_embedding: bool = True, generator: torch.Generator | None = None
) -> Network:
    """DynamiCrafter's network with KeyVID's layers: attention to sound and, in the generator, places in the clip.

    Args:
        unet: A ``KeyVIDUNet`` without them.
        audio_embed_dim: Width of the audio tokens.
        frame_index_embedding: Whether it is told where in the clip a frame stands.
        generator: See :func:`extended`.
    """
    config = {"audio_embed_dim": audio_embed_dim, "frame_index_embedding": frame_index_embedding}
    return extended(unet, generator, audio_cross_attention=True, audio_zero_init=True, **config)


def _first_weights(parameters: dict[str, nn.Parameter], generator: torch.Generator | None) -> dict[str, Tensor]:
    """What new layers start from, as torch's layers draw, from ``generator``."""
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    weights = {}
    for name, parameter in sorted(parameters.items()):
        if name.endswith("norm.weight"):
            weights[name] = torch.ones(parameter.shape)
        elif _SILENT.search(name):
            weights[name] = torch.zeros(parameter.shape)
        else:
            inputs = parameters[re.sub(r"bias$", "weight", name)].shape[1]
            weights[name] = torch.empty(parameter.shape).uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
    return weights
