"""The two released checkpoints as networks of ours: shapes read off, every key checked, weights still on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva.models import shapes
from asva.models.catalog import IMAGEBIND, INTERP_CKPT, KEYFRAME_CKPT, ModelError
from asva.models.checkpoint import read_checkpoint

__all__ = ["compare_stages", "read_stage", "released_networks"]

_SHARED = ("vae", "text_encoder", "image_encoder")

Parts = dict[str, dict[str, Tensor]]


def read_stage(path: Path) -> Parts:
    """One checkpoint by parts, memory-mapped.

    Raises:
        ModelError: If it is damaged, would run code, or holds a weight that is not KeyVID's.
    """
    from asva_unet import split_checkpoint

    with _file_named(path):
        return split_checkpoint(read_checkpoint(path))


@contextmanager
def _file_named(path: Path) -> Iterator[None]:
    """Let an error of a converter name the file."""
    try:
        yield
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ModelError(f"Checkpoint '{path}' is not a whole KeyVID checkpoint: {error}") from error


def compare_stages(first: Parts, second: Parts, say: Callable[[str], None]) -> None:
    """The frozen parts must be the same in both files; the first one's are used."""
    for name in _SHARED:
        same = first[name].keys() == second[name].keys() and all(
            torch.equal(first[name][key], second[name][key]) for key in first[name]
        )
        if not same:
            say(f"Note: the two checkpoints hold different weights of the {name}; the first one's are used.")


def released_networks(found: Mapping[str, Path], stages: dict[str, Parts]) -> dict[str, Any]:
    """Every network of both stages, its weights still on disk.

    Raises:
        ModelError: If a weight is missing or unknown, or its shape does not fit.
    """
    first, second = stages[KEYFRAME_CKPT], stages[INTERP_CKPT]
    with _file_named(found[KEYFRAME_CKPT]):
        _check_schedule(first["schedule"])
        audio_encoder = _audio_encoder(found, first)
        num_frames = audio_encoder.grid[1]
        networks = {
            "vae": _build("vae", first["vae"]),
            "text_encoder": _build("text_encoder", first["text_encoder"]),
            "image_encoder": _build("image_encoder", first["image_encoder"]),
            "image_projector": _build("image_projector", first["image_projector"], num_frames=num_frames),
            "audio_encoder": audio_encoder,
            "keyframe_unet": _build("unet", first["unet"]),
        }
    with _file_named(found[INTERP_CKPT]):
        _check_schedule(second["schedule"])
        networks["interp_unet"] = _build("unet", second["unet"])
        # Both stages trained their own projector.
        networks["interp_image_projector"] = _build("image_projector", second["image_projector"], num_frames=num_frames)
    return networks


def _build(name: str, original: dict[str, Tensor], **facts: Any) -> Any:
    """One network of the shapes found, holding the memory-mapped weights."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

    from asva_unet import ImageResampler, KeyVIDUNet, load_component

    makers = {
        "unet": lambda: KeyVIDUNet(**shapes.unet_config(original)),
        "vae": lambda: AutoencoderKL(**shapes.vae_config(original)),
        "text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**shapes.text_config(original))),
        "image_encoder": lambda: CLIPVisionModel(CLIPVisionConfig(**shapes.vision_config(original))),
        "image_projector": lambda: ImageResampler(**shapes.resampler_config(original, **facts)),
    }
    with torch.device("meta"):
        network = makers[name]()
    load_component(name, original, network)
    return network.eval()


def _audio_encoder(found: Mapping[str, Path], first: Parts) -> Any:
    """ImageBind's audio tower: the checkpoint's own, or that of ``imagebind_huge.pth``."""
    from asva_audio import ImageBindAudioEncoder, convert_imagebind_audio

    original = first["audio_encoder"]
    if not original:
        if IMAGEBIND not in found:
            raise ModelError(f"it holds no ImageBind, put '{IMAGEBIND}' (CC BY-NC-SA 4.0) into the same folder.")
        original = read_checkpoint(found[IMAGEBIND])
    with torch.device("meta"):
        encoder = ImageBindAudioEncoder(**shapes.audio_config(original))
    encoder.load_state_dict(convert_imagebind_audio(original, grid=encoder.grid), assign=True)
    return encoder.eval()


def _check_schedule(schedule: dict[str, Tensor]) -> None:
    """The noise schedule is not learned, but another one would mean another model."""
    from asva_unet import make_scheduler

    expected = make_scheduler("ddim").alphas_cumprod
    given = schedule.get("alphas_cumprod")
    if given is None or given.shape != expected.shape or not torch.allclose(given.float(), expected, atol=1e-6):
        raise ModelError("the noise schedule (`alphas_cumprod`) is missing or is not KeyVID's.")
