"""The first frame, repeated: what a video scores that does not move (AVSyncD, section 5.1, baseline Static)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from asva_pipelines.base import Callback, VideoPipeline
from asva_pipelines.inputs import as_batch, read_picture
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import Settings, check_settings


class StaticPipeline(VideoPipeline):
    """A picture and a sound become a video that stands still. It has no weights.

    Args:
        num_frames: Frames of the video.
        fps: Frames per second of the video.
        height: Of the video, in pixels, unless the call says otherwise.
        width: Of the video, in pixels, unless the call says otherwise.
        sample_rate: Hertz; nothing listens, it only makes the configuration like the others'.
    """

    def __init__(
        self, num_frames: int = 12, fps: int | float = 6, height: int = 256, width: int = 256, sample_rate: int = 16000
    ) -> None:
        super().__init__()
        self.register_to_config(num_frames=num_frames, fps=fps, height=height, width=width, sample_rate=sample_rate)

    @torch.no_grad()
    def __call__(
        self,
        image: Any,
        audio: Any = None,
        prompt: str | Sequence[str] = "",
        *,
        sample_rate: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fps: float | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "np",
        callback_on_step_end: Callback | None = None,
    ) -> VideoOutput:
        """Make one video, or one for each entry of the given lists.

        Args:
            image: First frame: a path, a PIL image, uint8 (h, w, 3), or a float (3, h, w) tensor in [-1, 1]; or a list.
            audio: Sound: a path, an :class:`asva_audio.Audio`, samples (s,) or (c, s); or a list. None is no sound.
            prompt: Counted, not read.
            sample_rate: Of `audio` in hertz where it is given as samples.
            height: Pixels.
            width: Pixels.
            fps: Frames per second; the video stays as long as it is.
            generator: Not used.
            output_type: `"np"` (uint8), `"pt"` (float in [0, 1], (t, 3, h, w)) or `"pil"`.
            callback_on_step_end: Not called: there are no steps.

        Returns:
            The video.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = Settings(self, locals())
        settings.num_frames = self._count_frames(settings.fps)
        images, audios, _, single = as_batch(image=image, audio=audio, prompt=prompt)
        self._check_sounds(audios)
        check_settings(settings, len(images), (3, settings.height, settings.width), 2)
        if output_type == "latent":
            raise ValueError("`output_type` must be np, pt or pil, got latent: there is no network that has latents.")
        pixels = torch.stack([read_picture(entry, (settings.height, settings.width)) for entry in images])
        sounds = [self._read_sound(entry, sample_rate) for entry in audios]
        frames = self._as_frames(pixels[:, None].expand(-1, settings.num_frames, -1, -1, -1), output_type)
        return VideoOutput.of(sounds, settings.fps, single=single, frames=frames)
