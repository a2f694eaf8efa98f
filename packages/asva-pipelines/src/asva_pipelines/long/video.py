"""A video of any length: window after window, each of which goes on from the latents of the one before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from asva_audio import Track
from asva_interp import ClipPlan
from asva_interp.windows.anchor import Anchor, come_back
from asva_interp.windows.drift import Drift, Look
from asva_pipelines.inputs import read_picture
from asva_pipelines.settings import Callback, call_arguments
from asva_unet.pixels import decode_latents, encode_pixels, quantise


class Store(Protocol):
    """Where finished windows are kept, so that an interrupted video goes on; see :mod:`asva_pipelines.long.folder`."""

    def load(self, index: int) -> Tensor | None:
        """What was kept of a window, or None."""

    def save(self, index: int, latents: Tensor) -> None:
        """Keep what is kept of a window."""


class LongVideo:
    """Makes the frames of a plan, one window at a time; memory does not grow with their number.

    The next window starts from the latents of the frame at which it takes over: nothing is decoded and encoded again
    between them. The image encoder sees the picture of the beginning in every window.

    Args:
        pipeline: Of any method that makes one window.
        plan: Length, rate and windows.
        picture: First frame as the pipeline takes it; None where the pipeline makes it of the prompt.
        track: What is heard.
        prompt: What is seen and done.
        seed: The same one gives the same video.
        arguments: Of every call of the pipeline.
        each: Further arguments of each window's call, which may hold another `prompt`.
        anchor: Whether windows are held to the beginning, see :mod:`asva_interp.windows.anchor`.
        store: Keeps finished windows.
        callback: ``callback(stage, step, num_steps, latents)``; see the pipelines.

    Attributes:
        window: The window that is being made.
        drift: Of each window that is finished, see :meth:`asva_interp.windows.drift.Drift.report`.
    """

    def __init__(
        self,
        pipeline: Any,
        plan: ClipPlan,
        picture: Any,
        track: Track,
        *,
        prompt: str = "",
        seed: int = 0,
        arguments: Mapping[str, Any] | None = None,
        each: Sequence[Mapping[str, Any]] | None = None,
        anchor: bool = True,
        store: Store | None = None,
        callback: Callback | None = None,
    ) -> None:
        if each is not None and len(each) != len(plan.windows):
            raise ValueError(f"`each` must be as many as windows ({len(plan.windows)}), got {len(each)}.")
        self.pipeline, self.plan, self.picture, self.track = pipeline, plan, picture, track
        self.prompt, self.seed, self.arguments = prompt, seed, dict(arguments or {})
        self.each = each or [{}] * len(plan.windows)
        self.anchored, self.store, self.callback = anchor, store, callback
        self.window = 0
        self.drift: list[dict[str, float]] = []
        self._goes_on = "first_latents" in call_arguments(pipeline)
        self._in_latents = hasattr(pipeline, "vae")
        self._anchor: Anchor | None = None
        self._beginning: Tensor | None = None

    def frames(self) -> Iterator[np.ndarray]:
        """Frames (h, w, 3) uint8 of the video, as they are made."""
        return self.plan.resample(self.native_frames())

    def native_frames(self) -> Iterator[np.ndarray]:
        """Frames of the network at its own rate."""
        self.drift, border, first = [], None, None
        for index in range(len(self.plan.windows)):
            self.window = index
            kept = self._kept(index, border)
            border = kept[-1:]
            drift = None
            for frame in self._pixels(kept):
                first = first or Look.of(frame)
                drift = drift or Drift(first)
                drift.add(frame)
                yield frame
            self.drift.append(drift.report())

    def _kept(self, index: int, border: Tensor | None) -> Tensor:
        """What is kept of a window, (t, c, h, w) on the CPU: made now, or before an interruption."""
        kept = None if self.store is None else self.store.load(index)
        if kept is None:
            kept = self._make(index, border)[self.plan.windows[index].kept]
            if self.anchored and self._in_latents:
                kept = self._held(index, kept)
            if self.store is not None:
                self.store.save(index, kept)
        if self._anchor is None and self._in_latents:
            self._anchor = Anchor.of(kept)
        return kept

    def _held(self, index: int, kept: Tensor) -> Tensor:
        """A window's frames, held to the beginning."""
        if self._anchor is not None:
            kept = self._anchor.hold(kept)
        if index + 1 == len(self.plan.windows) or not self._goes_on or self.picture is None:
            return kept
        following = self.plan.windows[index + 1]
        return come_back(kept, self._picture_latents(*kept.shape[-2:]), calm=following.calm)

    def _picture_pixels(self, height: int, width: int) -> Tensor:
        """(1, 3, h, w) of the picture at the beginning, for latents of a height and a width."""
        factor = 2 ** (len(self.pipeline.vae.config.block_out_channels) - 1)
        pixels = read_picture(self.picture, (height * factor, width * factor))
        return pixels[None].to(self.pipeline._execution_device)

    def _carrying(self, latents: Tensor) -> dict[str, Any]:
        """What sharpens decoded frames by the picture, where the pipeline has it."""
        carry = getattr(self.pipeline, "texture_carry", None)
        return {} if carry is None else {"carry": carry, "picture": self._picture_pixels(*latents.shape[-2:])}

    def _picture_latents(self, height: int, width: int) -> Tensor:
        """(c, h, w) of the picture at the beginning, found once."""
        if self._beginning is None:
            with torch.no_grad():
                latents = encode_pixels(self.pipeline.vae, self._picture_pixels(height, width), None)[0]
            self._beginning = latents.cpu()
        return self._beginning

    def _make(self, index: int, border: Tensor | None) -> Tensor:
        """All frames of a window: latents, or pixels (t, h, w, 3) of a pipeline without."""
        window, plan = self.plan.windows[index], self.plan
        more: dict[str, Any] = {"first_latents": border} if self._goes_on and border is not None else {}
        if self.callback is not None:
            more["callback_on_step_end"] = self.callback
        rate = self.pipeline.config.sample_rate
        heard = self.track.piece(window.start / plan.native_fps, plan.window_size / plan.native_fps, rate)
        arguments = {"prompt": self.prompt} | self.arguments | dict(self.each[index]) | more
        made = self.pipeline(
            image=self.picture,
            audio=heard,
            generator=torch.Generator("cpu").manual_seed(window_seed(self.seed, index if self._goes_on else 0)),
            output_type="latent" if self._in_latents else "np",
            **arguments,
        )
        return torch.as_tensor(made.frames).cpu()

    def _pixels(self, kept: Tensor) -> Iterator[np.ndarray]:
        if not self._in_latents:
            yield from kept.numpy()
            return
        chunks, carrying = kept.split(self.arguments.get("decode_chunk_size", 8)), self._carrying(kept)
        device = self.pipeline._execution_device  # diffusers walks all modules to find it
        for number, chunk in enumerate(chunks):
            with torch.no_grad():
                decoded = decode_latents(self.pipeline.vae, chunk[None].to(device), len(chunk), **carrying)
                pixels = quantise(decoded[0]).permute(0, 2, 3, 1)
            if self.callback is not None:
                self.callback("decode", number, len(chunks), chunk)
            yield from pixels.cpu().numpy()
        self.pipeline.maybe_free_model_hooks()


def window_seed(seed: int, index: int) -> int:
    """Seed of a window's noise; the first one's is that of the video."""
    return seed if index == 0 else int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> 1)
