"""What AVSyncD takes from a Stable Diffusion 1.5 folder: autoencoder, text encoder, tokenizer, noise schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asva_pipelines.avsyncd.method import STABLE_DIFFUSION, STABLE_DIFFUSION_REPO
from asva_pipelines.loading.diffusers_folder import folder_files, read_json, read_networks, read_tokenizer
from asva_pipelines.loading.hub import cached_folder
from asva_weights import ModelError
from asva_weights.release import Files


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
    return folder_files(folder, STABLE_DIFFUSION, ("vae", "text_encoder"))


def read_stable_diffusion(files: Files) -> tuple[dict[str, Any], dict[str, Any]]:
    """Networks, and tokenizer and scheduler.

    Raises:
        ModelError: If a file is damaged, or a weight is missing, unknown or of another shape.
    """
    networks = read_networks(files, STABLE_DIFFUSION)
    return networks, {"tokenizer": read_tokenizer(files, STABLE_DIFFUSION), "scheduler": _scheduler(files)}


def _scheduler(files: Files) -> Any:
    """The sampler as the original ran it, on the folder's schedule."""
    from asva_unet import AVSyncDPNDMScheduler

    path = files[f"{STABLE_DIFFUSION}/scheduler/scheduler_config.json"]
    config = read_json(path)
    if config.get("beta_schedule") != "scaled_linear" or config.get("prediction_type", "epsilon") != "epsilon":
        raise ModelError(f"'{path}' is not the noise schedule of Stable Diffusion 1.5: fetch the folder again.")
    return AVSyncDPNDMScheduler.from_config(config, skip_prk_steps=True)
