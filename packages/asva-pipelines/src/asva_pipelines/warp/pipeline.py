"""The photograph, regions of it moved by the motion curve of the sound: motion by rule, a control without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from asva_audio import Track
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.inputs import per_sample
from asva_pipelines.settings import OWN, Sampling
from asva_pipelines.warp.framing import Framing
from asva_pipelines.warp.method import SETTINGS
from asva_pipelines.warp.parts import Part
from asva_pipelines.warp.rule import motion_of, warped
from asva_unet.pixels import quantise


@dataclass(kw_only=True)
class WarpSampling(Sampling):
    """What the call takes.

    Attributes:
        fps: Frames per second; the video stays as long as it is.
        parts: What moves; without any the thing that the photograph shows.
        shape: Of the motion curve: gain, threshold, attack and release of :func:`asva_keyframe.shape.shape_curve`.
    """

    fps: float = OWN
    parts: Sequence[Part] = ()
    shape: dict[str, float] = field(default_factory=dict)


class WarpPipeline(VideoPipeline):
    """A photograph and a sound become a video in which regions of the photograph move; see :class:`VideoPipeline`."""

    arguments = WarpSampling

    @registered
    def __init__(
        self,
        *,
        num_frames: int = SETTINGS["num_frames"],
        fps: int | float = SETTINGS["fps"],
        height: int = SETTINGS["height"],
        width: int = SETTINGS["width"],
        sample_rate: int = SETTINGS["sample_rate"],
    ) -> None:
        super().__init__()

    def check(self, settings: WarpSampling, images: list, audios: list) -> None:
        """As of every pipeline; there are no latents to answer with."""
        super().check(settings, images, audios)
        if settings.output_type == "latent":
            raise ValueError("`output_type` must be np, pt or pil, got latent: there is no network that has latents.")

    def make(self, clips: Clips, settings: WarpSampling) -> dict[str, Any]:
        """Frames of every clip; without a sound nothing moves."""
        count, videos = self._count_frames(settings.fps), []
        parts = settings.parts or (Part(),)
        for place, (pixels, sound) in enumerate(zip(clips.pixels, clips.sounds, strict=True)):
            picture = quantise(pixels).permute(1, 2, 0).numpy()
            framing = Framing.of(picture.shape[:2], picture.shape[:2])
            curves = np.zeros((len(parts), count), np.float32)
            if sound is not None:
                track = Track(sound.waveform.numpy(), sound.sample_rate)
                curves = motion_of(track, parts, count, settings.fps, settings.shape)
            seed = per_sample(settings.generator, place).initial_seed()
            videos.append(np.stack(list(warped(picture, framing, parts, curves, seed))))
        frames = torch.from_numpy(np.stack(videos)).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
        return {"frames": self.as_frames(frames, settings.output_type)}
