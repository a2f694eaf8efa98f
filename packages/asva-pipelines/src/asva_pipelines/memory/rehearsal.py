"""A run in which nothing is computed: the pipeline's own code, on tensors that have shapes alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from asva_pipelines.memory.ledger import Ledger
from asva_pipelines.settings import call_arguments
from asva_unet.pixels import decode_latents, quantise

_DECODED_AT_ONCE = 8
# Bytes of a value of a frame that waits, and while all are joined: as it was, in its clip, in its batch, being rounded.
_WAITING, _JOINING = 4, 20


def rehearse(
    pipeline: Any,
    *,
    height: int,
    width: int,
    device: str = "cpu",
    num_frames: int | None = None,
    hears: bool = True,
    arguments: dict[str, Any] | None = None,
) -> Ledger:
    """Let a pipeline without weights make a video, and count what its tensors hold.

    Args:
        pipeline: See :func:`asva_pipelines.memory.skeleton`.
        height: Of the video, in pixels.
        width: Of the video, in pixels.
        device: Type of the device that is stood in for.
        num_frames: Of the video, for pipelines that make any number of them; the others make one window.
        hears: Whether there is a sound.
        arguments: Further ones of the pipeline's call; `decode_chunk_size` also of the decoding behind it.
    """
    arguments, wanted = dict(arguments or {}), num_frames
    if num_frames is not None and "overlap" in pipeline.config:
        # The third window needs no more than the second, but for what is kept of each.
        num_frames = min(num_frames, 2 * pipeline.config.num_frames)
    chunk = arguments.pop("decode_chunk_size", _DECODED_AT_ONCE)
    takes = call_arguments(pipeline)
    made_of = "latent" if hasattr(pipeline, "vae") else "np"
    call = {"height": height, "width": width, "num_frames": num_frames, "output_type": made_of} | arguments
    steps = getattr(pipeline, "rehearsed_steps", 1)
    call |= {name: steps for name in takes if name.endswith("num_inference_steps")}
    if hears:
        seconds = (num_frames or pipeline.config.num_frames) / pipeline.config.fps
        call |= {"audio": np.zeros(round(seconds * pipeline.config.sample_rate), np.float32)}
        call |= {"sample_rate": pipeline.config.sample_rate}
    whole = "num_frames" in takes  # joins its windows itself
    if whole:
        call["output_type"] = "np"
    parts = {name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    call = {name: value for name, value in call.items() if name in takes and value is not None}
    picture = np.zeros((height, width, 3), np.uint8) if getattr(pipeline, "takes_picture", True) else None
    with torch.no_grad(), Ledger(device, parts) as ledger:
        made = pipeline(image=picture, prompt="a", generator=torch.Generator("cpu").manual_seed(0), **call)
        if not whole and hasattr(pipeline, "vae"):
            latents = made.frames[:chunk][None].to(pipeline._execution_device)
            pixels = torch.zeros(1, 3, height, width, device=latents.device)
            carry = getattr(pipeline, "texture_carry", None)
            quantise(decode_latents(pipeline.vae, latents, chunk, carry=carry, picture=pixels)).cpu()
    if whole and wanted is not None and wanted > num_frames:
        _keep(ledger, pixels=3 * height * width, rest=wanted - num_frames, wanted=wanted)
    return ledger


def _keep(ledger: Ledger, *, pixels: int, rest: int, wanted: int) -> None:
    """What further windows add: their frames wait, and all are joined in the end."""
    for part in ledger.peaks:
        ledger.peaks[part] += rest * pixels * _WAITING
    ledger.touch(wanted * pixels * _JOINING)
    ledger.peak = max(ledger.peaks.values())
