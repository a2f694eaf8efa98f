"""The first frame, repeated: what a video scores that does not move (AVSyncD, section 5.1, baseline Static)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.settings import OWN, Sampling


@dataclass(kw_only=True)
class StaticSampling(Sampling):
    """What the call takes; the generator and the callback are not used.

    Attributes:
        fps: Frames per second; the video stays as long as it is.
    """

    fps: float = OWN


class StaticPipeline(VideoPipeline):
    """A picture and a sound become a video that stands still. It has no weights; see :class:`VideoPipeline`."""

    arguments = StaticSampling

    @registered
    def __init__(
        self,
        *,
        num_frames: int = 12,
        fps: int | float = 6,
        height: int = 256,
        width: int = 256,
        sample_rate: int = 16000,
    ) -> None:
        super().__init__()

    def check(self, settings: StaticSampling, images: list, audios: list) -> None:
        """As of every pipeline; there are no latents to answer with."""
        super().check(settings, images, audios)
        if settings.output_type == "latent":
            raise ValueError("`output_type` must be np, pt or pil, got latent: there is no network that has latents.")

    def make(self, clips: Clips, settings: StaticSampling) -> dict[str, Any]:
        """The first frame, as often as the video has frames."""
        still = clips.pixels[:, None].expand(-1, self._count_frames(settings.fps), -1, -1, -1)
        return {"frames": self.as_frames(still, settings.output_type)}
