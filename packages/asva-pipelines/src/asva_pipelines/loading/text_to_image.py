"""The first frame from a prompt: any text-to-image model that diffusers can load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from asva_pipelines.loading.folders import check_complete, damage_named, read_index
from asva_pipelines.loading.hub import snapshot
from asva_pipelines.loading.memory import weights_held
from asva_pipelines.loading.placement import choose_device, choose_dtype, in_dtype, place
from asva_weights import DownloadPlan, ModelError


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
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    kind = read_index(folder)["_class_name"]
    if kind not in {maker.__name__ for maker in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}:
        raise ModelError(f"Image model '{name}' is a {kind}, which makes no picture of a prompt: pass another.")
    return folder


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
    from diffusers import AutoPipelineForText2Image

    chosen = choose_device(device)
    with damage_named(folder):
        # Only safetensors: a pickle could run code.
        pipeline = AutoPipelineForText2Image.from_pretrained(
            folder, **in_dtype(choose_dtype(dtype, chosen)), local_files_only=True, use_safetensors=True
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
