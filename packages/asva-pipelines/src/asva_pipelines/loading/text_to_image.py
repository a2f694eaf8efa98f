"""The first frame from a prompt: any text-to-image model that diffusers can load."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asva_pipelines.loading.folders import check_complete, damage_named, quiet_libraries, read_index
from asva_pipelines.loading.hub import snapshot
from asva_pipelines.loading.memory import weights_held
from asva_pipelines.loading.placement import choose_device, choose_dtype, in_dtype, place
from asva_weights import DownloadPlan, ModelError

# Arguments of pipelines that want a picture, a mask or a control beside the prompt, or make more than a picture.
_OF_OTHERS = {"strength", "mask_image", "control_image", "controlnet_conditioning_scale", "image_guidance_scale"}
_OF_OTHERS |= {"num_frames", "audio_length_in_s"}


def resolve_image_model(name: str, *, confirm: Callable[[DownloadPlan], bool] | None = None) -> Path:
    """Folder of a text-to-image model.

    Args:
        name: A folder in the form of diffusers, or a hub id ``owner/name``.
        confirm: Asked before anything is downloaded; without it nothing ever is.

    Raises:
        ModelError: If there is no such model, or it makes no pictures of prompts.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name.count("/") != 1 or name.startswith((".", "/", "~")):
            raise ModelError(f"Image model '{name}' is neither a folder nor a hub id (owner/name).")
        folder = snapshot(name, confirm)
    _pipeline_class(folder)
    return folder


def _pipeline_class(folder: Path) -> Any:
    """The class that a folder names, told by its arguments: diffusers' list imports more than old versions can."""
    import diffusers

    kind = read_index(folder)["_class_name"]
    maker = getattr(diffusers, kind, None)
    takes = inspect.signature(maker.__call__).parameters.keys() if hasattr(maker, "from_pretrained") else set()
    if "prompt" not in takes or takes & _OF_OTHERS:
        raise ModelError(f"Image model '{folder}' is a {kind}, which makes no picture of a prompt: pass another.")
    return maker


def make_picture(
    folder: Path, prompt: str, *, seed: int = 0, device: str = "auto", dtype: str = "auto", offload: str = "none"
) -> tuple[np.ndarray, int]:
    """Picture of a prompt, in the size that the model makes by itself.

    Args:
        folder: See :func:`resolve_image_model`.
        prompt: What is to be seen.
        seed: Of the noise.
        device: See :func:`asva_pipelines.load_pipeline`.
        dtype: See :func:`asva_pipelines.load_pipeline`.
        offload: See :func:`asva_pipelines.load_pipeline`.

    Returns:
        (h, w, 3) uint8, and the bytes of the weights held at once.

    Raises:
        ModelError: If the folder is damaged, or the model's own filter withholds the picture.
    """
    maker, chosen = _pipeline_class(folder), choose_device(device)
    with damage_named(folder), quiet_libraries():
        # Only safetensors: a pickle could run code.
        pipeline = maker.from_pretrained(
            folder,
            **in_dtype(choose_dtype(dtype, chosen)),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                check_complete(folder / name, part)
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, chosen, offload)
    answer = pipeline(prompt, generator=torch.Generator("cpu").manual_seed(seed))
    if any(getattr(answer, "nsfw_content_detected", None) or []):
        raise ModelError("The image model's filter withheld the picture: choose another `--prompt` or `--seed`.")
    return np.asarray(answer.images[0].convert("RGB")), weights_held(pipeline, offload)
