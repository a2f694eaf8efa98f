"""A pipeline folder out of a model folder whose parts are trained."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import asva_pipelines as pipelines
from asva_data.settings import SettingsReader
from asva_dit import make_scheduler as make_mtv_scheduler
from asva_pipelines.mtv.parts import read_part
from asva_train.components import find_component, read_component, read_tokenizer
from asva_train.diffusion_task import base_folder
from asva_train.recipe import RECIPES, RecipeError
from asva_train.trained import trained_settings
from asva_unet import AVSyncDPNDMScheduler, make_scheduler

_SETTINGS: SettingsReader[dict[str, Any]] = SettingsReader(
    dict[str, Any], RECIPES / "pipelines", word="settings", error=RecipeError
)
_TOWERS = ("vae", "text_encoder", "image_encoder", "image_projector")


@dataclass(frozen=True)
class Family:
    """Pipelines of one kind.

    Attributes:
        pipeline: Name of the class.
        parts: Components of a model folder, by the names that the pipeline has for them.
        unet: The part whose prediction type the scheduler follows.
    """

    pipeline: str
    parts: dict[str, str]
    unet: str = "unet"


FAMILIES = {
    "keyvid": Family(
        "KeyVIDPipeline",
        {name: name for name in (*_TOWERS, "audio_encoder", "keyframe_unet", "interp_unet", "localizer")},
        "keyframe_unet",
    ),
    "avsyncd": Family(
        "AVSyncDPipeline",
        {"vae": "vae", "text_encoder": "text_encoder", "audio_encoder": "audio_encoder", "unet": "avsyncd_unet"},
    ),
    "i2vd": Family("AVSyncDPipeline", {"vae": "vae", "text_encoder": "text_encoder", "unet": "i2vd_unet"}),
    "audio-window": Family(
        "AudioWindowPipeline", {**{name: name for name in _TOWERS}, "taps": "taps", "unet": "audio_window_unet"}
    ),
    "mtv": Family(
        "MTVPipeline",
        {**{name: name for name in ("vae", "text_encoder", "audio_encoder")}, "transformer": "mtv_transformer"},
        "transformer",
    ),
}


def assemble(
    folder: Path,
    output: Path,
    settings: str | Path,
    *,
    base: str | None = None,
    overrides: dict[str, Any] | None = None,
    dtype: torch.dtype = torch.float16,
    on_trained: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Put trained parts together into a folder that the family's ``from_pretrained`` and ``--model`` load.

    Args:
        folder: Model folder that the trainings wrote.
        output: Folder to write; it must not be there yet.
        settings: Name or path of a YAML file with the pipeline's configuration, its ``family`` (``keyvid`` if none),
            the ``scheduler``, and the ``base`` for what the folder lacks. What the folder's trainings have decided,
            such as size and frame rate, overrules it.
        base: Model, by folder or name, instead of that of the settings.
        overrides: Settings by name, which overrule both.
        dtype: Of the stored weights.
        on_trained: Called with the settings that the trainings changed, if any.

    Raises:
        RecipeError: If the settings are not there or unknown, ``output`` is there, or trainings do not agree.
        RunError: If a part is missing.
    """
    if output.exists():
        raise RecipeError(f"`output` must not exist yet, got {output}. Remove it or choose another name.")
    config = dict(_SETTINGS.load(settings)) | (overrides or {})
    folders = [folder, base_folder(base or config.pop("base", None))]
    config.pop("base", None)
    name = config.pop("family", "keyvid")
    family = _family(name)
    trained = trained_settings(folder, name, given=overrides or ())
    changed = {name: value for name, value in trained.items() if config.get(name, value) != value}
    config |= trained
    if changed and on_trained is not None:
        on_trained(changed)
    parts = {name: _read(source, folders, dtype, family) for name, source in family.parts.items()}
    for name in parts["taps"].layers if "taps" in parts else ():
        parts[name] = _read(name, folders, dtype, family)
    for name, part in parts.items():
        if hasattr(part, "register_to_config"):  # diffusers would store the path that it was read from
            part.register_to_config(_name_or_path=name)
    parts["scheduler"] = _scheduler(config, parts[family.unet])
    parts["tokenizer"] = read_tokenizer(folders)
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        pipeline = getattr(pipelines, family.pipeline)(**parts, **config)
    except TypeError as error:
        raise RecipeError(f"`settings` must be those of {family.pipeline}, got {settings}: {error}.") from error
    pipeline.save_pretrained(temporary)
    temporary.rename(output)
    return output


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise RecipeError(f"`family` must be one of {', '.join(FAMILIES)}, got {name}.")
    return FAMILIES[name]


def _read(name: str, folders: list[Path | None], dtype: torch.dtype, family: Family) -> Any:
    read = read_part if family.pipeline == "MTVPipeline" else read_component
    return read(name, find_component(name, folders), dtype)


def _scheduler(config: dict[str, Any], network: torch.nn.Module) -> Any:
    """The scheduler that the settings name; ``pndm`` is Stable Diffusion's as the released AVSyncD runs it."""
    if hasattr(network, "encode_audio"):
        return make_mtv_scheduler(snr_shift_scale=config.pop("snr_shift_scale", 1.0))
    prediction_type = network.config.prediction_type
    name = config.pop("scheduler", "ddim")
    if name != "pndm":
        return make_scheduler(
            name,
            prediction_type=prediction_type,
            zero_terminal_snr=config.pop("zero_terminal_snr", prediction_type != "epsilon"),
            dynamic_rescale=config.get("dynamic_rescale", False),
        )
    return AVSyncDPNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
