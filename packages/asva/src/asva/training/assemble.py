"""A pipeline folder out of a model folder whose parts are trained."""

import shutil
from pathlib import Path
from typing import Any

import torch
import yaml

from asva.training.components import read_component
from asva.training.recipe import RECIPES, RecipeError

_PARTS = (
    "vae",
    "text_encoder",
    "image_encoder",
    "image_projector",
    "audio_encoder",
    "keyframe_unet",
    "interp_unet",
    "localizer",
)


def assemble(folder: Path, output: Path, settings: str | Path, *, dtype: torch.dtype = torch.float16) -> Path:
    """Put trained parts together into a folder that ``KeyVIDPipeline.from_pretrained`` and ``--model`` load.

    Args:
        folder: Model folder that the trainings wrote.
        output: Folder to write; it must not be there yet.
        settings: Name or path of a YAML file with the pipeline's configuration.
        dtype: Of the stored weights.

    Raises:
        RecipeError: If the settings are not there, or ``output`` is.
        RunError: If a part is missing.
    """
    from transformers import CLIPTokenizer

    from asva.pipelines import KeyVIDPipeline
    from asva_unet import make_scheduler

    if output.exists():
        raise RecipeError(f"`output` must not exist yet, got {output}. Remove it or choose another name.")
    config = _settings(settings)
    parts = {name: read_component(name, folder / name, dtype) for name in _PARTS}
    for name, part in parts.items():
        if hasattr(part, "register_to_config"):  # diffusers would store the path that it was read from
            part.register_to_config(_name_or_path=name)
    unet = parts["keyframe_unet"].config
    scheduler = make_scheduler(
        config.pop("scheduler", "ddim"),
        prediction_type=unet.prediction_type,
        dynamic_rescale=config.get("dynamic_rescale", False),
    )
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    KeyVIDPipeline(**parts, tokenizer=tokenizer, scheduler=scheduler, **config).save_pretrained(temporary)
    temporary.rename(output)
    return output


def _settings(source: str | Path) -> dict[str, Any]:
    path = Path(source)
    if not path.is_file():
        path = RECIPES / "pipelines" / f"{source}.yaml"
    if not path.is_file():
        raise RecipeError(f"`settings` must be a YAML file or a bundled name, got {source}.")
    return yaml.safe_load(path.read_text(encoding="utf-8"))
