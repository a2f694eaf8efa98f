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

from asva.models.catalog import INTERP_CKPT, KEYFRAME_CKPT, KEYVID_FILES, ModelError
from asva.models.released import compare_stages, read_stage, released_networks

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
    stages = {name: read_stage(found[name]) for name in (KEYFRAME_CKPT, INTERP_CKPT)}
    compare_stages(stages[KEYFRAME_CKPT], stages[INTERP_CKPT], say)
    components = released_networks(found, stages)
    _check_space(destination, components)
    with _fresh_folder(destination) as folder:
        _save(folder, components, found, say)
        components["localizer"] = _copy_localizer(folder, localizer, say)
        _write_index(folder, components, num_frames=components["image_projector"].config.num_frames)
        _write_source(folder, found, components["localizer"])
    return destination


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
