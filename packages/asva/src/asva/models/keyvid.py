"""Released KeyVID checkpoints become a folder: two stages, one pipeline, every key and shape checked."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva.models import shapes
from asva.models.catalog import IMAGEBIND, INTERP_CKPT, KEYFRAME_CKPT, KEYVID_FILES, ModelError
from asva.models.checkpoint import read_checkpoint

__all__ = ["RELEASED_SETTINGS", "convert_keyvid"]

# What the original's scripts set (spec: KeyVID code, configs and generation.sh); weights do not carry it.
RELEASED_SETTINGS: dict[str, Any] = {
    "fps": 24,
    "num_keyframes": 12,
    "keyframe_fps": 6,
    "height": 320,
    "width": 512,
    "alignment": "official",
    "selection": "inference",
    "dynamic_rescale": True,
    "interp_fill": "zeros",
    "interp_mask_channel": False,
    "interp_noise": "official",
    "interp_injection": True,
    "vae_sample": "sample",
    "num_inference_steps": 90,
    "interp_num_inference_steps": 90,
    "eta": 1.0,
    "interp_audio_guidance_scale": 9.0,
}
_SHARD = "2GB"
_SHARED = ("vae", "text_encoder", "image_encoder")

Parts = dict[str, dict[str, Tensor]]
Progress = Callable[[str], None] | None


def convert_keyvid(
    found: Mapping[str, Path],
    destination: str | Path,
    *,
    localizer: Path | None = None,
    on_progress: Progress = None,
) -> Path:
    """Convert the released files to a folder that :class:`asva.pipelines.KeyVIDPipeline` loads.

    Files are memory-mapped and parts are written one by one, so that little more than one shard of 2 GB is in memory.
    The folder appears when it is whole, or not at all.

    Args:
        found: Paths of the two checkpoints, of the tokenizer's ``vocab.json`` and ``merges.txt`` and, if the first
            checkpoint holds no ImageBind, of ``imagebind_huge.pth``, by their names on the hub.
        destination: The folder to write.
        localizer: Folder of a :class:`asva_keyframe.MotionLocalizer`: KeyVID's own was not released. Without it the
            bundled model's is taken, if there is one.
        on_progress: Told in words what is being done.

    Returns:
        The folder.

    Raises:
        ModelError: If a file is damaged, holds code, or lacks a weight; or if the disk is too small.
    """
    destination = Path(destination)
    say = on_progress or (lambda text: None)
    say(f"Converting the released files to {destination}; this is done once.")
    stages = {name: _split(found[name]) for name in (KEYFRAME_CKPT, INTERP_CKPT)}
    _compare_stages(stages[KEYFRAME_CKPT], stages[INTERP_CKPT], say)
    components = _components(found, stages)
    _check_space(destination, components)
    with _fresh_folder(destination) as folder:
        _save(folder, components, found, say)
        components["localizer"] = _copy_localizer(folder, localizer, say)
        _write_index(folder, components, num_frames=components["image_projector"].config.num_frames)
        _write_source(folder, found, components["localizer"])
    return destination


def _split(path: Path) -> Parts:
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


def _compare_stages(first: Parts, second: Parts, say: Callable[[str], None]) -> None:
    """The frozen parts must be the same in both files; the first one's are used."""
    for name in _SHARED:
        same = first[name].keys() == second[name].keys() and all(
            torch.equal(first[name][key], second[name][key]) for key in first[name]
        )
        if not same:
            say(f"Note: the two checkpoints hold different weights of the {name}; the first one's are used.")


def _components(found: Mapping[str, Path], stages: dict[str, Parts]) -> dict[str, Any]:
    """Every network, its weights still on disk."""
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


def _check_space(destination: Path, components: dict[str, Any]) -> None:
    needed = sum(value.numel() * value.element_size() for part in components.values() for value in part.parameters())
    home = destination.parent
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < needed:
        raise ModelError(
            f"Folder '{home}' has {free / 1e9:.1f} GB free and the converted model needs {needed / 1e9:.1f} GB: "
            f"free some, or set ASVA_CACHE to a folder on another disk."
        )


@contextmanager
def _fresh_folder(destination: Path) -> Iterator[Path]:
    """A folder beside the destination that takes its name when the block ends well, and is removed otherwise."""
    draft = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        draft.chmod(0o755)
        yield draft
        if not (destination / "model_index.json").is_file():  # else another process was faster
            os.replace(draft, destination)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _save(folder: Path, components: dict[str, Any], found: Mapping[str, Path], say: Callable[[str], None]) -> None:
    from asva_unet import make_scheduler

    for name, part in components.items():
        say(f"writing {name}, {sum(value.numel() for value in part.parameters()) / 1e6:.1f} M parameters")
        part.save_pretrained(folder / name, max_shard_size=_SHARD)
    length = components["text_encoder"].config.max_position_embeddings
    components["tokenizer"] = _tokenizer(found, length)
    components["scheduler"] = make_scheduler("ddim", dynamic_rescale=True)
    for name in ("tokenizer", "scheduler"):
        components[name].save_pretrained(folder / name)


def _tokenizer(found: Mapping[str, Path], length: int) -> Any:
    """OpenCLIP's tokenizer: CLIP's words, padded with the word of number 0."""
    from transformers import CLIPTokenizer

    try:
        vocabulary = json.loads(found["vocab.json"].read_text(encoding="utf-8"))
        lines = found["merges.txt"].read_text(encoding="utf-8").splitlines()
        first = next(word for word, number in vocabulary.items() if number == 0)
        merges = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
        return CLIPTokenizer(vocab=vocabulary, merges=merges, pad_token=first, model_max_length=length)
    except (OSError, ValueError, AttributeError, StopIteration) as error:
        raise ModelError(
            f"The tokenizer's '{found['vocab.json']}' or 'merges.txt' is damaged: fetch it again."
        ) from error


def _copy_localizer(folder: Path, localizer: Path | None, say: Callable[[str], None]) -> Any:
    """KeyVID's localizer is unreleased: copy the one given, or the bundled model's."""
    from asva.models.load import load_localizer
    from asva.models.resolve import tiny_folder

    source = localizer or tiny_folder() / "localizer"
    if localizer is None and not source.is_dir():
        say("Note: there is no localizer: give `--keyframes` or `--uniform` with this model.")
        return None
    say("Note: KeyVID's localizer was not released; " + ("the bundled" if localizer is None else "the given") + " one")
    shutil.copytree(source, folder / "localizer")
    return load_localizer(folder)


def _write_index(folder: Path, components: dict[str, Any], num_frames: int) -> None:
    from asva.pipelines import KeyVIDPipeline

    KeyVIDPipeline(**components, **RELEASED_SETTINGS, num_frames=num_frames).save_config(folder)


def _write_source(folder: Path, found: Mapping[str, Path], localizer: Any) -> None:
    """Where the folder comes from, for people and for the record beside a video."""
    licences = {file.path: file.licence for file in KEYVID_FILES}
    source = {
        "files": {
            name: {"bytes": path.stat().st_size, "licence": licences.get(name)} for name, path in sorted(found.items())
        },
        "localizer": None if localizer is None else "not KeyVID's (unreleased): the one that asva was given",
        "converted_by": f"asva-kit {version('asva-kit')}",
    }
    (folder / "source.json").write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")
