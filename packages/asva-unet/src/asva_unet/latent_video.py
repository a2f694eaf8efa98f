"""Checkpoints of KeyVID and DynamiCrafter as networks of ours: shapes read off, every key checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_unet import shapes
from asva_weights import ModelError, read_checkpoint
from asva_weights.checkpoint import read_content, weights_in
from asva_weights.release import State, blame

_FIRST = "model.diffusion_model.input_blocks.0.0.weight"
Parts = dict[str, dict[str, Tensor]]


def input_channels(checkpoint: Path | Mapping[str, Any]) -> int:
    """Channels that the U-Net of a file, or of its content, takes; 0 where there is none, or no file that is whole."""
    with suppress(ModelError):
        content = read_content(checkpoint) if isinstance(checkpoint, Path) else checkpoint
        first = (x for name, x in weights_in(content).items() if name.endswith(_FIRST) and isinstance(x, Tensor))
        return next((x.shape[1] for x in first), 0)
    return 0


def read_stage(path: Path, what: str, **options: Any) -> tuple[State, Parts]:
    """One checkpoint, whole and by parts, memory-mapped; ``options`` as of ``split_checkpoint``.

    Raises:
        ModelError: If it is damaged, would run code, or holds a weight that is not of these models.
    """
    from asva_unet.components import split_checkpoint

    state = read_checkpoint(path)
    with blame(path, what):
        return state, split_checkpoint(state, **options)


def build_parts(parts: Parts, names: Mapping[str, str], *, num_frames: int) -> dict[str, Any]:
    """Networks by our names, from the parts that the mapping names.

    Raises:
        ValueError: If a weight is missing or unknown, or its shape does not fit.
    """
    facts = {"image_projector": {"num_frames": num_frames}}
    return {ours: build(part, parts[part], **facts.get(part, {})) for ours, part in names.items()}


def build(name: str, original: dict[str, Tensor], **facts: Any) -> Any:
    """One network of the shapes found, holding the memory-mapped weights."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

    from asva_unet.components import load_component
    from asva_unet.image_resampler import ImageResampler
    from asva_unet.unet import KeyVIDUNet

    makers = {
        "unet": lambda: KeyVIDUNet(**shapes.unet_config(original) | facts),
        "vae": lambda: AutoencoderKL(**shapes.vae_config(original)),
        "text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**shapes.text_config(original))),
        "image_encoder": lambda: CLIPVisionModel(CLIPVisionConfig(**shapes.vision_config(original))),
        "image_projector": lambda: ImageResampler(**shapes.resampler_config(original, **facts)),
    }
    with torch.device("meta"):
        network = makers[name]()
    load_component(name, original, network)
    return network.eval()


def check_schedule(schedule: Mapping[str, Tensor], **options: Any) -> None:
    """The noise schedule is not learned, but another one would mean another model.

    Args:
        schedule: What the checkpoint holds of it.
        options: Of :func:`asva_unet.make_scheduler`, which says what it should be.

    Raises:
        ModelError: If it is another one.
    """
    from asva_unet.schedulers import make_scheduler

    expected = make_scheduler("ddim", **options).alphas_cumprod
    given = schedule.get("alphas_cumprod")
    if given is None or given.shape != expected.shape or not torch.allclose(given.float(), expected, atol=1e-6):
        raise ModelError("the noise schedule (`alphas_cumprod`) is missing or is not the one of these models.")


def differing(first: Parts, second: Parts, names: Sequence[str]) -> list[str]:
    """Names of the parts that two checkpoints do not share."""
    return [
        name
        for name in names
        if first[name].keys() != second[name].keys()
        or not all(torch.equal(first[name][key], second[name][key]) for key in first[name])
    ]
