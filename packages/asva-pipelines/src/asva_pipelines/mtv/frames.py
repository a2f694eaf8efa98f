"""Frames that are given to MTV, at any time of the clip: the latent slots they fill (MTV, section 4.3, keyframes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from asva_dit.pixels import encode_video
from asva_pipelines.inputs import read_picture

_SLOT = 4  # frames of a latent behind the first


def read_given(
    image: Any, frames: Mapping[float, Any] | None, num_frames: int, fps: float, size: tuple[int, int]
) -> dict[int, Tensor]:
    """Pictures (3, h, w) by the index of their frame.

    Args:
        image: The first frame, or None.
        frames: Pictures by their seconds, or None.
        num_frames: Frames of the clip.
        fps: Frames per second.
        size: Height and width.

    Raises:
        ValueError: If a time lies outside the clip, two pictures are for the same frame, or one cannot be read.
    """
    given = {} if image is None else {0: read_picture(image, size)}
    for seconds, picture in sorted((frames or {}).items()):
        index = round(float(seconds) * fps)
        if seconds < 0 or index >= num_frames:
            end = (num_frames - 1) / fps
            raise ValueError(f"`frames` must be at times from 0 to {end:g} s, got {seconds:g} s.")
        if index in given:
            raise ValueError(f"`frames` must be one for each frame, got two for frame {index} ({seconds:g} s).")
        given[index] = read_picture(picture, size)
    return given


def slot_of(frame: int) -> int:
    """Latent slot of a frame of a window.

    >>> [slot_of(frame) for frame in (0, 1, 4, 5, 48)]
    [0, 1, 1, 2, 12]
    """
    return -(-frame // _SLOT)


def fill_slots(
    vae: Any,
    given: Mapping[int, Tensor],
    window: tuple[int, int],
    before: Tensor | None,
    shape: tuple[int, int, int, int],
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Clean latents (1, t, c, h, w) of a window and where they count (1, t).

    A slot behind the first holds four frames: it is given a picture that stands still for them, since a single frame
    written there would come out as grain.

    Args:
        vae: The autoencoder.
        given: Pictures by the index of their frame in the clip.
        window: First frame, and frame behind the last.
        before: (k, 3, h, w) last frames of the window before, which this one takes over; None in the first.
        shape: Of the latents, (t, c, h, w).
        device: Of the result.

    Raises:
        ValueError: If two pictures fall into one slot.
    """
    clean, mask = torch.zeros(1, *shape, device=device), torch.zeros(1, shape[0], dtype=torch.bool, device=device)
    start, stop = window
    taken = 0 if before is None else len(before)
    if before is not None:
        latents = encode_video(vae, before[None].to(device))
        clean[:, : latents.shape[1]], mask[:, : latents.shape[1]] = latents.float(), True
    owners: dict[int, int] = {}
    for frame, picture in sorted(given.items()):
        if not start + taken <= frame < stop:
            continue
        slot = slot_of(frame - start)
        if slot in owners:
            raise ValueError(
                f"`frames` must fall into slots of {_SLOT} frames of their own, got frames {owners[slot]} and {frame} "
                "in one: keep them further apart."
            )
        owners[slot] = frame
        still = picture[None, None].expand(1, 1 if slot == 0 else 1 + _SLOT, -1, -1, -1)
        clean[:, slot], mask[:, slot] = encode_video(vae, still.to(device))[:, -1].float(), True
    return clean, mask
