"""What all pipelines share: frames in and out, the sound, networks ready for sampling."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from asva_pipelines.inputs import Sound, as_batch, read_picture, read_sound
from asva_pipelines.networks import PipelineNetworks
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import ContinuedSampling, Denoising, Sampling, check_settings
from asva_unet import KeyVIDUNet, draw_noise
from asva_unet.pixels import decode_latents, encode_pixels, latent_shape, quantise
from asva_unet.schedulers import SCHEDULERS
from asva_unet.stage import align_weights
from asva_unet.tokens import image_tokens, text_tokens


@dataclass(frozen=True)
class Clips:
    """What a call is given, read and checked.

    Attributes:
        pixels: (b, 3, h, w) first frames in [-1, 1]; None where the pipeline makes them too.
        prompts: One for each.
        sounds: One for each; all None without sound.
    """

    pixels: Any
    prompts: list[str]
    sounds: list


def registered(init: Callable[..., None]) -> Callable[..., None]:
    """Register what ``__init__`` is given: what has no default, or may be None, as modules, the rest as settings."""
    signature = inspect.signature(init)
    needed = {name for name, one in signature.parameters.items() if one.default is one.empty}

    @wraps(init)
    def register(self: VideoPipeline, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        _, *named = given.arguments.items()
        networks = needed.union(self._optional_components)
        self.register_modules(**{name: value for name, value in named if name in networks})
        self.register_to_config(**{name: value for name, value in named if name not in networks})

    # Without annotations: where they are words, as in these modules, diffusers of a year ago fails to check types.
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    described: Any = register
    described.__signature__ = signature.replace(parameters=bare)
    return described


class VideoPipeline(PipelineNetworks, DiffusionPipeline):
    """A picture, a sound and a prompt become a video: what all pipelines share.

    A pipeline states its networks and settings in ``__init__``, which is :func:`registered`, the arguments of its call
    in :attr:`arguments`, and makes the frames in :meth:`make`. A setting that is not named here is what the field of
    that name in :attr:`arguments` is unless the call says otherwise.

    Args:
        vae: Frames to latents and back.
        tokenizer: Of the prompt.
        text_encoder: Of the prompt.
        image_encoder: Of the first frame.
        image_projector: Its tokens to those of every frame.
        audio_encoder: Mel spectrogram to tokens.
        scheduler: Noise levels and steps; its prediction type follows the networks.
        num_frames: Frames of the video, or of one window of it.
        fps: Frames per second of the video.
        sample_rate: Hertz that the pipeline hears.

    Attributes:
        arguments: Class of the further arguments of the call.
        output: Class of what it answers.
        needs_picture: Whether the first frame must be given.
        takes_picture: Whether it may be.
        rehearsed_steps: Fewest steps in which a call does all that it can do.
    """

    arguments: ClassVar[type[Sampling]] = Sampling
    output: ClassVar[type[VideoOutput]] = VideoOutput
    needs_picture: ClassVar[bool] = True
    takes_picture: ClassVar[bool] = True
    rehearsed_steps: ClassVar[int] = 1

    @torch.no_grad()
    def __call__(
        self,
        image: Any = None,
        audio: Any = None,
        prompt: str | Sequence[str] = "",
        *,
        sample_rate: int | None = None,
        **arguments: Any,
    ) -> Any:
        """Make one video, or one for each entry of the given lists.

        Args:
            image: First frame: a path, a PIL image, uint8 (h, w, 3), or a float (3, h, w) tensor in [-1, 1]; or a list.
            audio: Sound: a path, an :class:`asva_audio.Audio`, samples (s,) or (c, s); or a list. None is no sound.
            prompt: What is seen and done; or a list.
            sample_rate: Of `audio` in hertz where it is given as samples.
            arguments: Fields of the class :attr:`arguments`; what is None is taken from the model's configuration.

        Returns:
            The video and how it came about, of the class :attr:`output`.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = self.arguments.of(self, arguments)
        images, audios, prompts, single = as_batch(image=image, audio=audio, prompt=prompt)
        self.check(settings, images, audios)
        size, pixels = (settings.height, settings.width), None
        if self.needs_picture or images[0] is not None:
            pixels = torch.stack([read_picture(entry, size) for entry in images])
        sounds = [self._read_sound(entry, sample_rate, self._seconds(settings)) for entry in audios]
        with self._ready():
            made = self.make(Clips(pixels, prompts, sounds), settings)
        fps = getattr(settings, "fps", self.config.fps)
        return self.output.of(sounds, fps, single=single, **made)

    def make(self, clips: Clips, settings: Any) -> dict[str, Any]:
        """Fields of the output, with the batch in front; the networks are ready and no gradient is kept."""
        raise NotImplementedError

    def check(self, settings: Any, images: list, audios: list) -> None:
        """Refuse at the door what would fail later; see :func:`asva_pipelines.settings.check_settings`."""
        for name, entries in (("audio", audios), ("image", [] if self.needs_picture else images)):
            if any(entry is None for entry in entries) and not all(entry is None for entry in entries):
                raise ValueError(f"`{name}` must be given for every sample or for none, got some of each.")
        if not self.takes_picture and images[0] is not None:
            raise ValueError("`image` must be left out: this method sees no picture.")
        size = (settings.height, settings.width)
        shape = latent_shape(self.vae, size) if hasattr(self, "vae") else (3, *size)
        check_settings(settings, len(images), shape, self._multiple)

    @property
    def _multiple(self) -> int:
        """What height and width must be divisible by; AVSyncD's U-Net takes any size of latents."""
        if not hasattr(self, "vae"):
            return 2
        unets = [part for part in self.components.values() if isinstance(part, KeyVIDUNet)]
        depth, *depths = (len(network.config.block_out_channels) - 1 for network in (self.vae, *unets))
        return 2 ** (depth + max(depths, default=0))

    @classmethod
    def from_pretrained(cls, model: Any, **kwargs: Any) -> Self:
        """Read a folder or a hub id, as :meth:`diffusers.DiffusionPipeline.from_pretrained`.

        A small model gives the same pixels, bit by bit, as the one that was saved.
        """
        pipeline = super().from_pretrained(model, **kwargs)
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                align_weights(part)
        return pipeline

    @classmethod
    def further_weights(cls, folder: Path) -> dict[str, int]:
        """Numbers that files of a model folder add to its parts once they are loaded, by part."""
        del folder
        return {}

    def push_to_hub(
        self,
        repo_id: str,
        *,
        card: str = "",
        private: bool | None = None,
        token: str | None = None,
        commit_message: str = "Upload the model",
    ) -> str:
        """Put the model on the hub, from where :meth:`from_pretrained` and ``--model owner/name`` read it.

        Args:
            repo_id: ``owner/name``.
            card: Text of its README, see :func:`asva_pipelines.loading.cards.model_card`; without it that of the
                folder it was read from, or one that says what is known.
            private: Whether others may not see it.
            token: Of the hub; without it the one that is stored.
            commit_message: Of the upload.

        Returns:
            Where it is.

        Raises:
            ValueError: If the name is not of that form.
        """
        from huggingface_hub import HfApi

        from asva_pipelines.loading.cards import card_of

        if repo_id.count("/") != 1 or not all(repo_id.split("/")):
            raise ValueError(f"`repo_id` must be owner/name, got '{repo_id}'.")
        api = HfApi(token=token)
        with tempfile.TemporaryDirectory() as home:
            self.save_pretrained(home, safe_serialization=True)
            Path(home, "README.md").write_text(card or card_of(self, repo_id), encoding="utf-8")
            api.create_repo(repo_id, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repo_id, folder_path=home, commit_message=commit_message))

    @contextmanager
    def _ready(self) -> Generator[None]:
        """Networks in evaluation mode while sampling; on every way out as they were, and offloaded again."""
        modules = [part for part in self.components.values() if isinstance(part, torch.nn.Module) and part.training]
        for module in modules:
            module.eval()
        try:
            yield
        finally:
            for module in modules:
                module.train()
            self.maybe_free_model_hooks()

    def _seconds(self, settings: Any) -> float:
        """Of the video."""
        return self.config.num_frames / self.config.fps

    def _read_sound(self, audio: Any, sample_rate: int | None, seconds: float) -> Sound | None:
        return None if audio is None else read_sound(audio, sample_rate, seconds, self.config.sample_rate)

    def _count_frames(self, fps: float) -> int:
        """Frames of a video as long as the configuration's, for pipelines that make any number of them.

        Raises:
            ValueError: If they are not a whole number.
        """
        count = self.config.num_frames / self.config.fps * fps
        if not 1 <= count <= 1000 or abs(count - round(count)) > 1e-6:
            seconds = self.config.num_frames / self.config.fps
            raise ValueError(f"`fps` must give a whole number of frames, 1 to 1000, in {seconds:g} s, got {fps:g}.")
        return round(count)

    def _noise(self, count: int, num_frames: int, settings: Any) -> Tensor:
        """Initial noise (b, t, c, h, w): that given, or drawn."""
        shape = (count, num_frames, *latent_shape(self.vae, (settings.height, settings.width)))
        noise = draw_noise(shape, settings.generator) if settings.latents is None else settings.latents
        return noise.to(self._execution_device, torch.float32)

    def save_beside(self, folder: Path) -> None:
        """Write the configuration, and the parts that are no networks, into a folder where the networks lie."""
        for name, part in self.components.items():
            if part is not None and not isinstance(part, torch.nn.Module):
                part.save_pretrained(folder / name)
        self.save_config(folder)

    def _encode_frames(self, frames: Tensor, settings: Denoising) -> Tensor:
        """Latents (b, t, c, h, w) of frames (b, t, 3, H, W), frame by frame."""
        shape = latent_shape(self.vae, frames.shape[-2:])
        noise = None
        if settings.vae_sample == "sample":
            noise = draw_noise((*frames.shape[:2], *shape), settings.generator, device=self._execution_device)
        frames = frames.to(self._execution_device)
        encoded = [
            encode_pixels(self.vae, frames[:, place], None if noise is None else noise[:, place])
            for place in range(frames.shape[1])
        ]
        return torch.stack(encoded, dim=1)

    def _text_tokens(self, prompts: Sequence[str], lacks_text: bool) -> dict[bool, Tensor]:
        """(b, n, d) of the prompts (True) and, if a branch lacks them, of no words (False)."""
        device = self._execution_device
        return both(
            lambda words: text_tokens(self.tokenizer, self.text_encoder, words, device), prompts, [""], lacks_text
        )

    def _image_tokens(self, pixels: Tensor, lacks_image: bool) -> dict[bool, Tensor]:
        """(b, n, d) of pictures (b, 3, h, w) (True) and, if a branch lacks them, of mid grey (False)."""
        nothing, device = torch.zeros_like(pixels[:1]), self._execution_device
        return both(lambda seen: image_tokens(self.image_encoder, seen.to(device)), pixels, nothing, lacks_image)

    def _first_latents(self, pixels: Tensor, settings: ContinuedSampling) -> Tensor:
        """Latents (b, 1, c, h, w) of the first frame: those given, or the picture's."""
        given = settings.first_latents
        if given is None:
            return self._encode_frames(pixels[:, None], settings)
        expected = (len(pixels), *latent_shape(self.vae, pixels.shape[-2:]))
        if tuple(given.shape) != expected:
            raise ValueError(f"`first_latents` must have shape {expected}, got {tuple(given.shape)}.")
        return given[:, None].to(self._execution_device, torch.float32)

    def _scheduler_for(self, unet: Any, sampler: str = "own") -> Any:
        """A fresh scheduler in the terms of the network, so that no call leaves a trace in the shared one."""
        kind = unet.config.get("prediction_type", self.scheduler.config["prediction_type"])
        kind = "sample" if kind == "residual" else kind
        rescale = self.config.get("dynamic_rescale", False)
        if rescale and "dynamic_rescale" not in self.scheduler.config:
            raise ValueError(
                f"`scheduler` must know dynamic rescale, got {type(self.scheduler).__name__}; use `make_scheduler`."
            )
        terms = {"prediction_type": kind, "dynamic_rescale": rescale}
        if sampler == "own":
            return self.scheduler.from_config(self.scheduler.config, **terms)
        terms["rescale_betas_zero_snr"] = self.scheduler.config.get("rescale_betas_zero_snr", False)
        known = inspect.signature(SCHEDULERS[sampler].__init__).parameters
        terms = {name: value for name, value in self.scheduler.config.items() if name in known} | terms
        made = SCHEDULERS[sampler](**terms)
        levels = getattr(made, "network_alphas_cumprod", made.alphas_cumprod).float()
        if not torch.allclose(levels, self.scheduler.alphas_cumprod.to(levels), atol=1e-4):
            raise ValueError(f"`sampler` must be own: {sampler} does not know this model's noise levels.")
        return made

    def _finish(
        self, latents: Tensor, settings: Denoising, *, picture: Tensor | None = None, quiet: bool = False
    ) -> Any:
        """Latents (b, t, c, h, w) as frames of the wanted type; `picture` (b, 3, H, W) where texture can be carried."""
        if settings.output_type == "latent":
            return latents.cpu()
        report = None if quiet else settings.callback_on_step_end
        carry = getattr(self, "texture_carry", None)
        pixels = decode_latents(self.vae, latents, settings.decode_chunk_size, report, carry=carry, picture=picture)
        return self.as_frames(pixels, settings.output_type)

    @staticmethod
    def as_frames(pixels: Tensor, output_type: str) -> Any:
        """Pixels (b, t, 3, h, w), about [-1, 1], as frames of the wanted type."""
        if output_type == "pt":
            return ((pixels.clamp(-1, 1) + 1) / 2).cpu()
        frames = quantise(pixels).permute(0, 1, 3, 4, 2).cpu().numpy()
        if output_type == "np":
            return frames
        from PIL import Image

        return [[Image.fromarray(frame) for frame in video] for video in frames]


def both(encode: Callable[[Any], Tensor], given: Any, nothing: Any, wanted: bool) -> dict[bool, Tensor]:
    """A condition as given (True) and, if wanted, left out (False): one of nothing, shared by the batch."""
    encoded = {True: encode(given)}
    if wanted:
        encoded[False] = encode(nothing).expand_as(encoded[True])
    return encoded
