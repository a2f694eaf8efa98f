"""The method where neither model nor method is named: the bundled model where it knows such pictures, else `warp`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from asva_pipelines.make.read_inputs import picture_or_frame
from asva_pipelines.make.request import Request
from asva_pipelines.method import Method
from asva_pipelines.methods import METHODS, MODELS
from asva_pipelines.notes import note

RESTORED = 27.0
"""PSNR in dB from which a picture counts as restored; docs/benchmarks.md says how well that tells the kinds apart."""
ALIKE = 0.3
"""Share of neighbours alike (:func:`evenness`) below which no network is asked: drawn ones have 0.4, H.264 or not."""
SIZE = 64  # pixels of the bundled model's pictures
LARGEST = 256  # pixels at which a picture is compared with what the autoencoder makes of it
_BUNDLED = MODELS["tiny"].folder or Path()


def default_method(request: Request, given: list[str]) -> Method:
    """What makes a video of this picture, said in a line where it is not the bundled model.

    Args:
        request: Without a model and a method.
        given: Its options that not every method has: what only one of the two has decides.
    """
    keyvid, warp = METHODS["keyvid"], METHODS["warp"]
    alone = [option for option in given if option not in keyvid.options and option in warp.options]
    if alone:
        return warp
    needs_model = request.interpolator or request.image is None or any(one not in warp.options for one in given)
    if needs_model or is_known(request.image, request.image_start):
        return keyvid
    _say(
        "Note: '{}' is no picture of the kind that the bundled model knows: it is moved by rule (--method warp). For "
        "generated motion give a --model, see `asva models list`.",
        request.image,
    )
    return warp


def warn_of_bundled(request: Request, folder: Path | None) -> None:
    """Say it where the bundled model is given a picture that it cannot restore."""
    if folder == _BUNDLED and request.image is not None and not is_known(request.image, request.image_start):
        _say(
            "Note: the bundled model does not know pictures like '{}': expect little of it. `--method warp` moves the "
            "picture itself, at its own size.",
            request.image,
        )


def is_known(image: Path, start: float = 0.0) -> bool:
    """Whether the bundled model knows such a picture; True of what is no picture, of which the reader will tell."""
    try:
        changed = image.stat().st_mtime_ns
    except OSError:
        return True
    return _is_known(image, start, changed)


def knows(picture: np.ndarray) -> bool:
    """Whether the bundled model knows such a picture (h, w, 3): it has even areas, and the autoencoder restores it."""
    return evenness(picture) >= ALIKE and restoration(picture) >= RESTORED


def evenness(picture: np.ndarray) -> float:
    """Share of neighbours that differ by one step of 255 at most, of a picture (h, w, 3) brought to 64 pixels."""
    from asva_data import resize_crop

    seen = resize_crop(picture, SIZE).astype(np.int16)
    steps = [np.abs(np.diff(seen, axis=axis)).max(axis=-1) for axis in (0, 1)]
    return float(np.mean([(step <= 1).mean() for step in steps]))


def restoration(picture: np.ndarray) -> float:
    """PSNR in dB of what the bundled autoencoder makes of a picture (h, w, 3), compared at up to 256 pixels."""
    import torch

    from asva_data import resize_crop
    from asva_unet.pixels import decode_latents, encode_pixels, quantise

    vae = _autoencoder()
    seen = resize_crop(picture, SIZE)
    pixels = torch.from_numpy(np.ascontiguousarray(seen)).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        made = quantise(decode_latents(vae, encode_pixels(vae, pixels, None)[:, None], 1)[0, 0])
    size = min(*picture.shape[:2], LARGEST)
    true, restored = (resize_crop(one, size) for one in (picture, made.permute(1, 2, 0).numpy()))
    error = np.mean(np.square(true.astype(np.float64) - restored))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@lru_cache(maxsize=64)
def _is_known(image: Path, start: float, changed: int) -> bool:
    del changed
    try:
        return knows(picture_or_frame(image, start))
    except (ValueError, OSError):
        return True


@lru_cache(maxsize=1)
def _autoencoder() -> Any:
    import torch
    from diffusers import AutoencoderKL

    return AutoencoderKL.from_pretrained(_BUNDLED / "vae", torch_dtype=torch.float32, local_files_only=True).eval()


@lru_cache(maxsize=256)
def _say(text: str, image: Path) -> None:
    """Once for each picture, though a request is planned more than once."""
    note(text.format(image))
