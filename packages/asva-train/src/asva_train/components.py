"""Components of a model folder: built at random, read, and written one by one."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from asva_pipelines.loading.folders import damage_named, quiet_libraries, shared_parts
from asva_pipelines.loading.placement import read_network
from asva_train.errors import RunError

_CLASSES = {
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "image_encoder": ("transformers", "CLIPVisionModel"),
    "image_projector": ("asva_unet", "ImageResampler"),
    "interp_image_projector": ("asva_unet", "ImageResampler"),
    "audio_encoder": ("asva_audio", "ImageBindAudioEncoder"),
    "localizer": ("asva_keyframe", "MotionLocalizer"),
    "keyframe_unet": ("asva_unet", "KeyVIDUNet"),
    "interp_unet": ("asva_unet", "KeyVIDUNet"),
    "avsyncd_unet": ("asva_unet", "AVSyncDUNet"),
    "i2vd_unet": ("asva_unet", "AVSyncDUNet"),
    "audio_window_unet": ("asva_unet", "KeyVIDUNet"),
    "imagebind": ("asva_audio", "ImageBindAudioEncoder"),
    "beats": ("asva_audio", "BEATsEncoder"),
    "taps": ("asva_audio", "MultiFeatureEncoder"),
    "mtv_transformer": ("asva_dit", "MTVTransformer3DModel"),
    "texture_carry": ("asva_unet", "TextureCarry"),
    "sync": ("asva_metrics", "AVSyncClassifier"),
    "small_sync": ("asva_metrics", "SmallSyncClassifier"),
}
# What a component is called in models that are put together, or in those of another family.
_OTHER_NAMES = {
    "interp_image_projector": "image_projector",
    "keyframe_unet": "unet",
    "interp_unet": "unet",
    "avsyncd_unet": "unet",
    "i2vd_unet": "unet",
    "audio_window_unet": "unet",
    "imagebind": "audio_encoder",
    "mtv_transformer": "transformer",
}
# Ears that may stand in for ImageBind's: a folder says which it holds.
_EARS = ("BEATsEncoder", "CLAPAudioEncoder")
_CONFIGS = {"text_encoder": "CLIPTextConfig", "image_encoder": "CLIPVisionConfig"}


def component_class(name: str) -> Any:
    """The class of a component, imported when asked for."""
    from importlib import import_module

    module, class_name = _CLASSES[name]
    return getattr(import_module(module), class_name)


def build_component(name: str, config: dict[str, Any], seed: int) -> Any:
    """A component with random weights that follow ``seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if name in _CONFIGS:
            import transformers

            return component_class(name)(getattr(transformers, _CONFIGS[name])(**config))
        return component_class(name)(**config)


def read_component(name: str, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """A component of a model folder, its weights in ``dtype`` however they are stored.

    Raises:
        RunError: If the folder does not hold it.
        ModelError: If what it holds is damaged.
    """
    if not (folder / "config.json").is_file():
        raise RunError(f"`{name}` must be in {folder}, found nothing there. Train or convert it first.")
    kind = component_class(name)
    if name == "audio_encoder" and (said := component_kind(folder)) in _EARS:
        import asva_audio

        kind = getattr(asva_audio, said)
    with damage_named(folder), quiet_libraries():
        return read_network(kind, folder, dtype)


def find_component(name: str, folders: Iterable[Path | None]) -> Path:
    """The folder of a component: the first of ``folders`` that holds it by its name, by another, or shares it.

    Raises:
        RunError: If none does.
    """
    searched = [folder for folder in folders if folder is not None]
    for called in filter(None, (name, _OTHER_NAMES.get(name))):
        if found := find_named(called, searched):
            return found
    where = " or ".join(str(folder / name) for folder in searched)
    raise RunError(f"`{name}` must be in {where}, found nothing there. Train or convert it first.")


def find_named(name: str, folders: Iterable[Path]) -> Path | None:
    """The folder of a component by this name alone, or one that its method shares; None if there is none."""
    for folder in folders:
        if (folder / name / "config.json").is_file():
            return folder / name
        if shared := shared_parts(folder).get(name):
            return shared
    return None


def read_tokenizer(folders: Iterable[Path | None]) -> Any:
    """The tokenizer of the first folder that holds one, None if none does."""
    from transformers import AutoTokenizer

    for folder in folders:
        if folder is not None and (folder / "tokenizer").is_dir():
            return AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True, trust_remote_code=False)
    return None


def component_kind(folder: Path) -> str | None:
    """Name of the class that a component's folder says it is of."""
    path = folder / "config.json"
    return json.loads(path.read_text(encoding="utf-8")).get("_class_name") if path.is_file() else None


def start_from(component: nn.Module, source: nn.Module | dict[str, torch.Tensor]) -> None:
    """Copy the weights of ``source``; input channels that it lacks start at zero.

    Raises:
        RunError: If a weight is missing or its shape differs otherwise.
    """
    state, wanted = source if isinstance(source, dict) else source.state_dict(), component.state_dict()
    for name, tensor in wanted.items():
        given = state.get(name)
        if given is not None and given.shape != tensor.shape and _without_inputs(given) == _without_inputs(tensor):
            state[name] = torch.zeros_like(tensor)
            state[name][:, : given.shape[1]] = given
    try:
        component.load_state_dict(state)
    except RuntimeError as error:
        raise RunError(f"`init` must fit the network: {' '.join(str(error).split())[:300]}") from error


def _without_inputs(weight: torch.Tensor) -> tuple[int, ...]:
    return weight.shape[:1] + weight.shape[2:]


def caption_tokenizer(captions: Iterable[str], vocab_size: int, max_length: int) -> Any:
    """A ``CLIPTokenizer`` with a small vocabulary of its own, learned from captions."""
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer().train_new_from_iterator(captions, vocab_size, show_progress=False)
    tokenizer.model_max_length = max_length
    return tokenizer
