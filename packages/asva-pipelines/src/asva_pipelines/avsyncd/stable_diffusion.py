"""What AVSyncD takes from a Stable Diffusion 1.5 folder: autoencoder, text encoder, tokenizer, noise schedule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.avsyncd.method import STABLE_DIFFUSION, STABLE_DIFFUSION_REPO
from asva_pipelines.loading.hub import cached_folder
from asva_weights import ModelError, read_checkpoint
from asva_weights.release import Files, State, blame

# Full precision first; a copy may hold only one of them.
_WEIGHTS = {
    "vae": ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
    "text_encoder": ("model.safetensors", "pytorch_model.bin"),
}
_OTHERS = ("tokenizer/vocab.json", "tokenizer/merges.txt", "scheduler/scheduler_config.json")
# Names of the autoencoder's attention in files written before diffusers 0.17.
_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def stable_diffusion_files(source: Path, given: Files) -> Files:
    """The files needed, from a folder ``stable-diffusion-v1-5`` in or beside the source, or from the hub's cache.

    Raises:
        ModelError: If there is no such folder, or a file is missing in it.
    """
    places = [source / STABLE_DIFFUSION, source / "pretrained" / STABLE_DIFFUSION]
    places = [given[STABLE_DIFFUSION]] if STABLE_DIFFUSION in given else places
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None and STABLE_DIFFUSION not in given:
        folder = cached_folder(STABLE_DIFFUSION_REPO, "vae/config.json")
    if folder is None:
        raise ModelError(
            f"AVSyncD needs Stable Diffusion 1.5, and '{places[0]}' does not exist: put the folder there (hub id "
            f"{STABLE_DIFFUSION_REPO}: vae, text_encoder, tokenizer, scheduler; licence CreativeML OpenRAIL-M), or "
            f"name it with `--stable-diffusion`."
        )
    wanted = [*_OTHERS]
    for part, names in _WEIGHTS.items():
        weights = next((name for name in names if (folder / part / name).is_file()), names[0])
        wanted += [f"{part}/config.json", f"{part}/{weights}"]
    if lacking := [name for name in wanted if not (folder / name).is_file()]:
        raise ModelError(f"Stable Diffusion's folder '{folder}' lacks '{lacking[0]}': copy it there.")
    return {f"{STABLE_DIFFUSION}/{name}": folder / name for name in wanted}


def read_stable_diffusion(files: Files) -> tuple[dict[str, Any], dict[str, Any]]:
    """Networks, and tokenizer and scheduler.

    Raises:
        ModelError: If a file is damaged, or a weight is missing, unknown or of another shape.
    """
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel

    networks = {
        "vae": _network("vae", files, AutoencoderKL.from_config, _vae_name),
        "text_encoder": _network(
            "text_encoder", files, lambda config: CLIPTextModel(CLIPTextConfig.from_dict(config)), _text_name
        ),
    }
    return networks, {"tokenizer": _tokenizer(files), "scheduler": _scheduler(files)}


def _network(part: str, files: Files, make: Callable[[dict], Any], rename: Callable[[str], str | None]) -> Any:
    from asva_weights.key_table import KeyTable

    name = next(name for name in files if name.startswith(f"{STABLE_DIFFUSION}/{part}/") and "config" not in name)
    with blame(files[name], f"{part} of Stable Diffusion 1.5"):
        with torch.device("meta"):
            network = make(_json(files[f"{STABLE_DIFFUSION}/{part}/config.json"]))
        state: State = {ours: value for key, value in read_checkpoint(files[name]).items() if (ours := rename(key))}
        network.load_state_dict(KeyTable(()).to_ours(state, network.state_dict(), part), assign=True)
    return network.eval()


def _vae_name(name: str) -> str:
    if ".attentions." in name:
        for old, new in _OLD_ATTENTION.items():
            name = name.replace(old, new)
    return name


def _text_name(name: str) -> str | None:
    """Older files have a prefix, and hold the numbers 0 to 76."""
    name = name.removeprefix("text_model.")
    return None if name == "embeddings.position_ids" else name


def _tokenizer(files: Files) -> Any:
    from transformers import CLIPTokenizer

    folder = files[f"{STABLE_DIFFUSION}/tokenizer/vocab.json"].parent
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare exceptions
        raise ModelError(f"Stable Diffusion's tokenizer '{folder}' is damaged: fetch it again.") from error


def _scheduler(files: Files) -> Any:
    """The sampler as the original ran it, on the folder's schedule."""
    from asva_unet import AVSyncDPNDMScheduler

    path = files[f"{STABLE_DIFFUSION}/scheduler/scheduler_config.json"]
    config = _json(path)
    if config.get("beta_schedule") != "scaled_linear" or config.get("prediction_type", "epsilon") != "epsilon":
        raise ModelError(f"'{path}' is not the noise schedule of Stable Diffusion 1.5: fetch the folder again.")
    return AVSyncDPNDMScheduler.from_config(config, skip_prk_steps=True)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"'{path}' is damaged: fetch it again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"'{path}' is damaged: fetch it again.")
    return content
