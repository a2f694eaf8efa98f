"""MM-Diffusion: a sound becomes the video that goes with it, or both are made of noise (CVPR 2023, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from asva_baselines.mmdiffusion.diffusion import Chain, even_timesteps, held_step
from asva_baselines.mmdiffusion.layers import Pair
from asva_baselines.mmdiffusion.solver import Solver
from asva_baselines.mmdiffusion.super_resolution import SuperResolutionUNet, enlarge
from asva_baselines.mmdiffusion.unet import MultimodalUNet
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import OWN, Sampling
from asva_unet import draw_noise

JOINT_SAMPLERS = ("dpm-solver", "dpm-solver-multistep", "dpm-solver++", "ddpm", "ddim")
GROWTH = 4  # of super resolution


@dataclass(kw_only=True)
class MMDiffusionSampling(Sampling):
    """What the call takes.

    Attributes:
        num_inference_steps: Steps of DDPM with a sound.
        audio_guidance_scale: Strength of the gradient that draws the video to the sound; 0 is replacement alone. The
            original's 3.0 is multiplied by 2^20, which it never takes back: 3145728.
        redraw_shifts: Let the gradient be that of a network with other windows than the step's, as the original does.
        joint_sampler: Without a sound: "dpm-solver", "dpm-solver-multistep", "dpm-solver++" (as many as it needs),
            "ddpm" or "ddim".
        joint_num_inference_steps: Its steps.
        upsampler_num_inference_steps: Steps of super resolution.
    """

    num_inference_steps: int = OWN
    audio_guidance_scale: float = OWN
    redraw_shifts: bool = OWN
    joint_sampler: str = "dpm-solver"
    joint_num_inference_steps: int = 20
    upsampler_num_inference_steps: int = 25


@dataclass(frozen=True, kw_only=True)
class MMDiffusionOutput(VideoOutput):
    """A video with its sound.

    Attributes:
        made_waveform: (1, s) float32, the sound that was made with the video where none was given, else None.
    """

    made_waveform: Any


class MMDiffusionPipeline(VideoPipeline):
    """A sound becomes a video, or both are made; there is neither a picture nor a prompt, see :class:`VideoPipeline`.

    The released networks were trained on mirrored frames, and show the world so.

    Args:
        unet: Of both streams.
        upsampler: To four times the height and width; None leaves frames as small as they are made.
        audio_guidance_scale: As in the call.
        redraw_shifts: As in the call.
    """

    arguments = MMDiffusionSampling
    output = MMDiffusionOutput
    needs_picture = takes_picture = False
    model_cpu_offload_seq = "unet->upsampler"
    rehearsed_steps = 2  # the last one takes no gradient
    _optional_components: ClassVar[list[str]] = ["upsampler"]

    @registered
    def __init__(
        self,
        unet: MultimodalUNet,
        upsampler: SuperResolutionUNet | None = None,
        num_frames: int = 16,
        fps: int | float = 10,
        height: int = 256,
        width: int = 256,
        sample_rate: int = 16000,
        num_inference_steps: int = 1000,
        audio_guidance_scale: int | float = 3.0 * 2**20,
        redraw_shifts: bool = True,
    ) -> None:
        super().__init__()

    def check(self, settings: MMDiffusionSampling, images: list, audios: list) -> None:
        """As of every pipeline; there are no latents, and each level halves the size."""
        super().check(settings, images, audios)
        if settings.output_type == "latent":
            raise ValueError("`output_type` must be np, pt or pil, got latent: the networks make pixels.")
        if settings.joint_sampler not in JOINT_SAMPLERS:
            raise ValueError(
                f"`joint_sampler` must be one of {', '.join(JOINT_SAMPLERS)}, got {settings.joint_sampler}."
            )
        if not settings.audio_guidance_scale >= 0:
            raise ValueError(f"`audio_guidance_scale` must be at least 0, got {settings.audio_guidance_scale}.")

    @property
    def _growth(self) -> int:
        return 1 if self.upsampler is None else GROWTH

    @property
    def _multiple(self) -> int:
        return self._growth * 2 ** (len(self.unet.config.block_out_channels) - 1)

    def make(self, clips: Clips, settings: MMDiffusionSampling) -> dict[str, Any]:
        """Small frames, then large ones."""
        b, t, device = len(clips.sounds), self.config.num_frames, self._execution_device
        size = settings.height // self._growth, settings.width // self._growth
        video = draw_noise((b, t, 3, *size), settings.generator, device=device)
        length = round(t / self.config.fps * self.config.sample_rate)
        audio = draw_noise((b, 1, length), settings.generator, device=device)
        waveform = None
        if clips.sounds[0] is None:
            video, audio = self._both(video, audio, settings)
            waveform = audio.float().cpu().numpy()
        else:
            given = torch.stack([sound.mono for sound in clips.sounds])[:, None, :length].to(device)
            video = self._of_sound(video, given, audio, settings)
        if self.upsampler is not None:
            noises = draw_noise((b, 1, 3, settings.height, settings.width), settings.generator, device=device)
            steps = settings.upsampler_num_inference_steps
            video = torch.stack([enlarge(self.upsampler, *one, steps) for one in zip(video, noises, strict=True)])
        return {"frames": self.as_frames(video.float(), settings.output_type), "made_waveform": waveform}

    def _of_sound(self, video: Tensor, audio: Tensor, noise: Tensor, settings: MMDiffusionSampling) -> Tensor:
        """The video of a sound, (b, t, c, h, w), by replacement, and by gradient if that has a strength."""
        chain, report = Chain(even_timesteps(settings.num_inference_steps)), settings.report("frames")
        steps = len(chain.timesteps)
        for index in reversed(range(steps)):
            noises = self._noises(video, audio, settings)
            predict = lambda pair, timestep: self._predict(*pair, timestep, settings)  # noqa: E731
            gradient = settings.audio_guidance_scale
            video = held_step(chain, predict, video, audio, index, noise, noises, gradient=gradient)
            if report is not None:
                report(steps - 1 - index, steps, video)
        return video

    def _both(self, video: Tensor, audio: Tensor, settings: MMDiffusionSampling) -> Pair:
        shape, size, steps = video.shape, video[0].numel(), settings.joint_num_inference_steps
        if settings.joint_sampler.startswith("dpm"):

            def predict(x: Tensor, timestep: int) -> Tensor:
                pair = self._predict(x[:, :size].view(shape), x[:, None, size:], timestep, settings)
                return torch.cat([part.flatten(1) for part in pair], dim=1)

            packed = torch.cat([video.flatten(1), audio.flatten(1)], dim=1)
            solver = Solver(predict, [size, audio.shape[2]])
            if settings.joint_sampler == "dpm-solver++":
                made = solver.adaptive(packed)
            else:
                made = (solver.multistep if "multi" in settings.joint_sampler else solver.singlestep)(packed, steps)
            return made[:, :size].view(shape), made[:, None, size:]
        ddim = settings.joint_sampler == "ddim"
        chain = Chain(range(0, 1000, 1000 // steps) if ddim else even_timesteps(steps))
        for index in reversed(range(len(chain.timesteps))):
            eps = self._predict(video, audio, chain.timesteps[index], settings)
            if ddim:
                video, audio = (chain.ddim(x, one, index) for x, one in zip((video, audio), eps, strict=True))
            else:
                moved = zip((video, audio), eps, self._noises(video, audio, settings), strict=True)
                video, audio = (chain.ddpm(x, one, index, noise) for x, one, noise in moved)
        return video, audio

    def _predict(self, video: Tensor, audio: Tensor, timestep: int, settings: MMDiffusionSampling) -> Pair:
        drawn = settings.generator if isinstance(settings.generator, torch.Generator) else settings.generator[0]
        eps = self.unet(
            video.to(self.unet.dtype),
            audio.to(self.unet.dtype),
            timestep,
            generator=drawn,
            redraw=settings.redraw_shifts and torch.is_grad_enabled(),
        )
        return eps[0].float(), eps[1].float()

    def _noises(self, video: Tensor, audio: Tensor, settings: MMDiffusionSampling) -> Pair:
        first, second = (draw_noise(x.shape, settings.generator, device=x.device) for x in (video, audio))
        return first, second
