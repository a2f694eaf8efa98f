"""A pipeline folder out of a model folder whose parts are trained."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

import asva_pipelines as pipelines
from asva_data.settings import SettingsReader
from asva_dit import make_scheduler as make_mtv_scheduler
from asva_pipelines.loading.folders import quiet_libraries
from asva_pipelines.mtv.parts import read_part
from asva_train.components import find_component, find_named, read_component, read_tokenizer
from asva_train.diffusion_task import base_folder
from asva_train.recipe import RECIPES, RecipeError
from asva_train.trained import named_settings, trained_settings, trained_sources
from asva_unet import AVSyncDPNDMScheduler, make_scheduler

_SETTINGS: SettingsReader[dict[str, Any]] = SettingsReader(
    dict[str, Any], RECIPES / "pipelines", word="settings", error=RecipeError
)
_TOWERS = ("vae", "text_encoder", "image_encoder", "image_projector")
_OF_KEYVID = ("interp_image_projector", "audio_encoder", "keyframe_unet", "interp_unet", "localizer", "texture_carry")
_OPTIONAL = ("interp_image_projector", "texture_carry")


@dataclass(frozen=True)
class Family:
    """Pipelines of one kind.

    Attributes:
        pipeline: Name of the class.
        parts: Components of a model folder, by the names that the pipeline has for them.
        unet: The part whose prediction type the scheduler follows.
        released: Module that says how the released weights sample; none were released without.
    """

    pipeline: str
    parts: dict[str, str]
    unet: str = "unet"
    released: str | None = None


FAMILIES = {
    "keyvid": Family(
        "KeyVIDPipeline",
        {name: name for name in (*_TOWERS, *_OF_KEYVID)},
        "keyframe_unet",
        "asva_pipelines.keyvid.released",
    ),
    "avsyncd": Family(
        "AVSyncDPipeline",
        {"vae": "vae", "text_encoder": "text_encoder", "audio_encoder": "audio_encoder", "unet": "avsyncd_unet"},
        released="asva_pipelines.avsyncd.released",
    ),
    "i2vd": Family(
        "AVSyncDPipeline",
        {"vae": "vae", "text_encoder": "text_encoder", "unet": "i2vd_unet"},
        released="asva_pipelines.avsyncd.released",
    ),
    "audio-window": Family(
        "AudioWindowPipeline", {**{name: name for name in _TOWERS}, "taps": "taps", "unet": "audio_window_unet"}
    ),
    "mtv": Family(
        "MTVPipeline",
        {**{name: name for name in ("vae", "text_encoder", "audio_encoder")}, "transformer": "mtv_transformer"},
        "transformer",
        "asva_pipelines.mtv.released",
    ),
}
# Numbers of two parts that must be equal where both have them.
_FITS = (
    ("vae.latent_channels", "{unet}.out_channels"),
    ("text_encoder.hidden_size", "{unet}.cross_attention_dim"),
    ("image_projector.output_dim", "{unet}.cross_attention_dim"),
    ("image_projector.embedding_dim", "image_encoder.hidden_size"),
    ("interp_image_projector.embedding_dim", "image_encoder.hidden_size"),
    ("interp_image_projector.output_dim", "interp_unet.cross_attention_dim"),
    ("audio_encoder.hidden_size", "{unet}.audio_embed_dim"),
    ("audio_encoder.hidden_size", "{unet}.audio_cross_attention_dim"),
    ("interp_unet.out_channels", "keyframe_unet.out_channels"),
    ("text_encoder.d_model", "transformer.text_embed_dim"),
    ("taps.output_dim", "unet.audio_window_dim"),
)


def assemble(
    folder: Path,
    output: Path,
    settings: str | Path | None = None,
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
            the ``scheduler``, and whether the rest is ``published``, as the released weights sample; by default what
            the trainings' recipes name. What the trainings have decided, such as size and frame rate, overrules it.
        base: Model, by folder or name, for what the folder lacks; by default that of the trainings.
        overrides: Settings by name, which overrule both.
        dtype: Of the stored weights.
        on_trained: Called with the settings that the trainings changed, if any.

    Raises:
        RecipeError: If the settings are not there or unknown, ``output`` is there, trainings do not agree, or parts do
            not fit each other.
        RunError: If a part is missing.
    """
    if output.exists():
        raise RecipeError(f"`output` must not exist yet, got {output}. Remove it or choose another name.")
    config = dict(_SETTINGS.load(settings or named_settings(folder))) | (overrides or {})
    name = config.pop("family", "keyvid")
    family = _family(name)
    if config.pop("published", False):
        if family.released is None:
            raise RecipeError(f"`published` must be false for {name}, of which nothing was released, got true.")
        config = import_module(family.released).RELEASED_SETTINGS | config
    trained = trained_settings(folder, name, given=overrides or ())
    changed = {name: value for name, value in trained.items() if config.get(name, value) != value}
    config |= trained
    if changed and on_trained is not None:
        on_trained(changed)
    bases, elsewhere = trained_sources(folder, name)
    folders = [folder, *filter(None, map(base_folder, [base] if base else bases))]
    parts: dict[str, Any] = {}
    for name, source in family.parts.items():
        if place := _place(source, folder, folders, elsewhere, config):
            parts[name] = _read(source, place, dtype, family)
    for name in parts["taps"].layers if "taps" in parts else ():
        if place := _place(name, folder, folders, elsewhere, config):
            parts[name] = _read(name, place, dtype, family)
    _check_fit(parts, family, config)
    for name, part in parts.items():
        if hasattr(part, "register_to_config"):  # diffusers would store the path that it was read from
            part.register_to_config(_name_or_path=name)
    parts |= {name: None for name in family.parts if name not in parts}
    parts["scheduler"] = _scheduler(config, parts[family.unet])
    parts["tokenizer"] = read_tokenizer(folders)
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        pipeline = getattr(pipelines, family.pipeline)(**parts, **config)
    except TypeError as error:
        raise RecipeError(f"`settings` must be those of {family.pipeline}, got {settings}: {error}.") from error
    with quiet_libraries():
        pipeline.save_pretrained(temporary)
    temporary.rename(output)
    return output


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise RecipeError(f"`family` must be one of {', '.join(FAMILIES)}, got {name}.")
    return FAMILIES[name]


def _place(
    name: str, folder: Path, folders: list[Path], elsewhere: dict[str, Path], config: dict[str, Any]
) -> Path | None:
    """Where a part lies, the trainings' own first; None where the pipeline does without.

    Raises:
        RunError: If it is nowhere.
    """
    if found := find_named(name, [folder]):
        return found
    if name in elsewhere:
        return elsewhere[name]
    optional = name in _OPTIONAL or (name == "localizer" and config.get("selection") == "uniform")
    return find_named(name, folders) if optional else find_component(name, folders)


def _read(name: str, place: Path, dtype: torch.dtype, family: Family) -> Any:
    return (read_part if family.pipeline == "MTVPipeline" else read_component)(name, place, dtype)


def _check_fit(parts: dict[str, Any], family: Family, config: dict[str, Any]) -> None:
    """See that parts from several places can answer each other.

    Raises:
        RecipeError: If they cannot.
    """
    for first, second in _FITS:
        ours, theirs = (_number(parts, place.format(unet=family.unet)) for place in (first, second))
        if None not in (ours, theirs) and ours != theirs:
            raise RecipeError(f"`{first}` must be {theirs} to fit {second.format(unet=family.unet)}, got {ours}.")
    for name in ("image_projector", "interp_image_projector", "localizer"):
        count = _number(parts, f"{name}.num_frames")
        if count not in (None, 1, config.get("num_frames", count)):
            raise RecipeError(f"`{name}` must be of {config['num_frames']} frames, as the model is, got {count}.")


def _number(parts: dict[str, Any], place: str) -> Any:
    part, _, field = place.partition(".")
    return getattr(getattr(parts.get(part), "config", None), field, None)


def _scheduler(config: dict[str, Any], network: torch.nn.Module) -> Any:
    """The scheduler that the settings name; ``pndm`` is Stable Diffusion's as the released AVSyncD runs it."""
    if hasattr(network, "encode_audio"):
        return make_mtv_scheduler(snr_shift_scale=config.pop("snr_shift_scale", 1.0))
    prediction_type = network.config.prediction_type
    name = config.pop("scheduler", "ddim")
    zero_terminal_snr = config.pop("zero_terminal_snr", prediction_type != "epsilon")
    if name != "pndm":
        return make_scheduler(
            name,
            prediction_type=prediction_type,
            zero_terminal_snr=zero_terminal_snr,
            dynamic_rescale=config.get("dynamic_rescale", False),
        )
    return AVSyncDPNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
