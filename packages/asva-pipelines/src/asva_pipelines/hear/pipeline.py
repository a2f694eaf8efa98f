"""Diffusers' image-to-video pipelines, unchanged, with a control by which their transformer hears."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from torch import Tensor

from asva_dit.backbones import backbone_of
from asva_dit.controls import read_control
from asva_dit.hear import hear
from asva_dit.with_control import control_of, is_controlled, with_control, without_control
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.hear.features import features_of, read_ears
from asva_pipelines.hear.method import METHOD, SETTINGS, settings_of
from asva_pipelines.settings import OWN, Sampling, call_arguments
from asva_weights import ModelError

_EXPERTS, _LORA = ("transformer", "transformer_2"), "asva_control"
LORA_FILE = "pytorch_lora_weights.safetensors"  # in the folder `lora` of a control


@dataclass(kw_only=True)
class HearSampling(Sampling):
    """What the call takes beside its inputs.

    Attributes:
        control: Folder of the control, as `asva train control` writes it; None hears nothing.
        num_inference_steps: Steps.
        text_guidance_scale: The base's own guidance; 1 is none.
        audio_guidance_scale: Of the prediction with the sound against a weaker one; 1 is none.
        against: The weaker one: ``off``, without the control, or ``shifted``, the same sound at another time.
        control_scale: Factor of what the control adds.
        no_audio: Leave the control out.
        first_latents: (1, h, w, 3) frame that stands for the first one: the end of a video that goes on.
    """

    control: str | None = None
    num_inference_steps: int = OWN
    text_guidance_scale: float = OWN
    audio_guidance_scale: float = OWN
    against: str = "off"
    control_scale: float = 1.0
    no_audio: bool = False
    first_latents: Tensor | None = None


class HearPipeline(VideoPipeline):
    """A picture, a sound and a prompt become a video by a pipeline of diffusers that hears.

    Frames are those that were asked for: whole latent frames are made, and cut. Arguments: :class:`VideoPipeline`.

    Attributes:
        stock: The pipeline of diffusers.
        heard: Folder of the control that its transformers have now.
    """

    arguments = HearSampling

    @registered
    def __init__(
        self,
        num_frames: int = 81,
        fps: int | float = 16,
        height: int = 480,
        width: int = 832,
        sample_rate: int = 16000,
        num_inference_steps: int = 50,
        text_guidance_scale: int | float = 5.0,
        audio_guidance_scale: int | float = 1.0,
    ) -> None:
        super().__init__()
        self.stock: Any = None
        self.heard: str | None = None
        self.ears: dict[str, Any] = {}
        self._own: dict[str, Any] = {}

    @staticmethod
    def stock_class(name: str) -> Any:
        """The class of diffusers of a base."""
        return getattr(diffusers, name)

    @classmethod
    def of(cls, stock: Any, **settings: Any) -> Self:
        """Around a pipeline of diffusers that is loaded, with other settings than the base's.

        Raises:
            ModelError: If it is none that this method knows, or a library is missing that it needs.
        """
        module = sys.modules[type(stock).__module__]
        if type(stock).__name__ not in SETTINGS:
            raise ModelError(f"`model` must be one of {', '.join(SETTINGS)}, got {type(stock).__name__}.")
        if hasattr(module, "basic_clean") and not hasattr(module, "ftfy"):
            raise ModelError("`ftfy` must be installed, by which diffusers cleans Wan's prompts: pip install ftfy.")
        pipeline = cls(**METHOD.settings({"_class_name": type(stock).__name__}) | settings)
        pipeline.stock, pipeline._own = stock, {name: pipeline.config[name] for name in ("num_frames", "fps")}
        return pipeline

    @classmethod
    def from_pretrained(cls, model: Any, **kwargs: Any) -> Self:
        """Read a folder of diffusers' pipeline."""
        return cls.of(DiffusionPipeline.from_pretrained(model, **kwargs))

    def check(self, settings: HearSampling, images: list, audios: list) -> None:
        """As of every pipeline, with the control: what it has learned at is what the sounds are read for."""
        super().check(settings, images, audios)
        self._take(settings.control)

    def make(self, clips: Clips, settings: HearSampling) -> dict[str, Any]:
        """Clip by clip, all frames of a window at once."""
        device, backbone = self._execution_device, backbone_of(self.stock.transformer)
        count, fps = self.config.num_frames, self.config.fps
        whole = backbone.whole_frames(count)
        given = settings.generator
        generators = [given] * len(clips.prompts) if isinstance(given, torch.Generator) else given
        videos = []
        for pixels, prompt, sound, generator in zip(clips.pixels, clips.prompts, clips.sounds, generators, strict=True):
            arguments = self._arguments(settings, whole) | {"prompt": prompt, "generator": generator}
            arguments["image"] = self._picture(pixels, settings)
            if sound is None or settings.no_audio or settings.control is None:
                made = self.stock(**arguments)
            else:
                control = control_of(self.stock.transformer).control
                ears = {name: ear.to(device) for name, ear in self.ears.items()}
                mono = sound.mono[None].to(device)
                heard = features_of(ears, control.config["sources"], mono, whole / fps)
                options = {"scale": settings.control_scale, "guidance_scale": settings.audio_guidance_scale}
                with hear(self.stock, heard, fps=fps, against=settings.against, **options):
                    made = self.stock(**arguments)
            frames = torch.as_tensor(np.asarray(made[0][0])[:count]).movedim(-1, 1)
            videos.append(frames * 2 - 1)
        return {"frames": self.as_frames(torch.stack(videos), settings.output_type)}

    def _take(self, control: str | None) -> None:
        """Give the transformers the control of a folder, its LoRA too; what they had before is taken away."""
        if control == self.heard:
            return
        experts = [(name, part) for name in _EXPERTS if (part := getattr(self.stock, name, None)) is not None]
        for _, part in experts:
            if is_controlled(part):
                without_control(part)
            if _LORA in getattr(part, "peft_config", {}):
                part.delete_adapters(_LORA)
        self.heard, self.ears = None, {}
        self.register_to_config(**self._own | settings_of(control))
        if control is None:
            return
        for name, part in experts:
            folder = Path(control, name) if Path(control, name).is_dir() else Path(control)
            with_control(part, read_control(folder, part.dtype if part.dtype.is_floating_point else torch.float32))
            if (folder / "lora").is_dir():
                try:
                    part.load_lora_adapter(folder / "lora", prefix=None, adapter_name=_LORA, weight_name=LORA_FILE)
                except RuntimeError as error:
                    raise ValueError(f"`control` must hold a LoRA of the base's shapes, got {folder}.") from error
        self.heard, self.ears = control, read_ears(Path(control))

    def _arguments(self, settings: HearSampling, frames: int) -> dict[str, Any]:
        """Of the stock pipeline's call."""
        report, steps = settings.report("frames"), settings.num_inference_steps
        given = {
            "height": settings.height,
            "width": settings.width,
            "num_frames": frames,
            "num_inference_steps": steps,
            "guidance_scale": settings.text_guidance_scale,
            "output_type": "np",
            "return_dict": False,
        }
        if "frame_rate" in call_arguments(self.stock):
            given["frame_rate"] = self.config.fps
        if report is not None:

            def on_step_end(_: Any, step: int, __: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
                report(step, steps, kwargs["latents"])
                return kwargs

            given["callback_on_step_end"] = on_step_end
        return given

    @staticmethod
    def _picture(pixels: Tensor, settings: HearSampling) -> Any:
        if settings.first_latents is not None:
            return Image.fromarray(settings.first_latents[0].numpy())
        return Image.fromarray(((pixels + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())

    # Where it runs is the business of the pipeline of diffusers, whose parts these are.

    @property
    def components(self) -> dict[str, Any]:  # ty: ignore[incompatible-property-override]  # those of another pipeline
        """Parts of the stock pipeline."""
        return self.stock.components

    @property
    def _execution_device(self) -> torch.device:
        return self.stock._execution_device

    @property
    def dtype(self) -> torch.dtype:
        """Of the stock pipeline's weights."""
        return self.stock.dtype

    @property
    def _multiple(self) -> int:
        stock, patch = self.stock, self.stock.transformer.config.patch_size
        names = ("vae_scale_factor_spatial", "vae_spatial_compression_ratio")
        factor = next(getattr(stock, name) for name in names if hasattr(stock, name))
        return factor * (patch if isinstance(patch, int) else patch[1])

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """See diffusers."""
        self.stock.to(*args, **kwargs)
        return self

    def enable_model_cpu_offload(self, *args: Any, **kwargs: Any) -> None:
        """See diffusers."""
        self.stock.enable_model_cpu_offload(*args, **kwargs)

    def enable_sequential_cpu_offload(self, *args: Any, **kwargs: Any) -> None:
        """See diffusers."""
        self.stock.enable_sequential_cpu_offload(*args, **kwargs)

    def maybe_free_model_hooks(self) -> None:
        """See diffusers."""
        self.stock.maybe_free_model_hooks()

    def set_progress_bar_config(self, **kwargs: Any) -> None:
        """See diffusers."""
        self.stock.set_progress_bar_config(**kwargs)

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """The base's folder; the control has one of its own."""
        self.stock.save_pretrained(*args, **kwargs)


def add_lora(transformer: Any, rank: int, layers: Sequence[str]) -> None:
    """LoRA on layers of a frozen base, ready to learn in float32, which LoRA of a half precision would not."""
    from peft import LoraConfig

    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(layers)))
    for parameter in transformer.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
