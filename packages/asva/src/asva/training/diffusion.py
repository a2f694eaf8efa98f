"""Training of the two diffusion stages: keyframes from sound, and every frame from keyframes (KeyVID, section 3)."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva.training.clips import TrainingClip, clip_source, collate
from asva.training.components import (
    build_component,
    caption_tokenizer,
    read_component,
    start_from,
    tokenize,
)
from asva.training.draws import generator_at
from asva.training.loop import RunError
from asva.training.recipe import DiffusionRecipe
from asva.training.vae import to_frames, to_pixels

_CONDITIONERS = ("text_encoder", "image_encoder", "image_projector", "audio_encoder")


def keyframe_indices(clip: TrainingClip, recipe: DiffusionRecipe, generator: torch.Generator) -> np.ndarray:
    """Keyframes of a training sample: from the motion curve, or other frames for variety."""
    from asva_keyframe import curve_label, select_keyframes

    draws = np.random.default_rng(generator.initial_seed())
    num_frames, num = len(clip.frames), recipe.num_keyframes
    if draws.random() < recipe.keyframe_ratio:
        curve = curve_label(torch.as_tensor(clip.motion_curve), num_frames).numpy()
        return select_keyframes(curve, num, rule=recipe.selection, fps=recipe.data.fps, generator=draws)
    if recipe.other_frames == "official":
        return np.arange(num)
    if draws.random() < 0.5:
        return np.arange(num) * num_frames // num
    return np.sort(np.r_[0, 1 + draws.permutation(num_frames - 1)[: num - 1]])


def clip_view(clip: TrainingClip, generator: torch.Generator, recipe: DiffusionRecipe) -> dict:
    """What a stage needs of a clip: its frames, its sound as a mel spectrogram, its caption."""
    from asva_audio import imagebind_mel

    chosen = keyframe_indices(clip, recipe, generator)
    return {
        "frames": clip.frames[chosen] if recipe.task == "keyframe" else clip.frames,
        "keyframe_indices": chosen,
        "mel": imagebind_mel(torch.as_tensor(clip.waveform))[0],
        "caption": clip.caption,
    }


def dropped(recipe: DiffusionRecipe, batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Which samples lose which condition, (b,) bool by name.

    ``"official"`` is the original code's single draw r: text if r < 2p, image if p <= r < 3p, audio if
    2p <= r < 4p. ``"independent"`` draws each condition by itself.
    """
    if recipe.dropout_rule == "official":
        p, r = recipe.dropout["p"], torch.rand(batch, generator=generator)
        return {"text": r < 2 * p, "image": (r >= p) & (r < 3 * p), "audio": (r >= 2 * p) & (r < 4 * p)}
    return {
        name: torch.rand(batch, generator=generator) < recipe.dropout.get(name, 0.0)
        for name in ("text", "image", "audio")
    }


class DiffusionLoss(nn.Module):
    """One noising step of one stage and the error of the network's answer."""

    def __init__(self, recipe: DiffusionRecipe, parts: dict[str, nn.Module], tokenizer, scheduler):
        super().__init__()
        self.recipe, self.tokenizer = recipe, tokenizer
        self.unet_name = "keyframe_unet" if recipe.task == "keyframe" else "interp_unet"
        self.learning = nn.ModuleDict({name: parts[name] for name in (self.unet_name, *recipe.train)})
        self.frozen = {name: part.eval().requires_grad_(False) for name, part in parts.items() if name not in self.learning}
        self.alphas_cumprod = scheduler.alphas_cumprod.double()
        if recipe.dynamic_rescale:
            from asva_unet import dynamic_rescale

            self.scale = dynamic_rescale(len(self.alphas_cumprod)).double()

    def part(self, name: str) -> nn.Module:
        return self.learning[name] if name in self.learning else self.frozen[name]

    def to_device(self, device: torch.device) -> None:
        for part in self.frozen.values():
            part.to(device)

    @torch.no_grad()
    def encode(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Latents (b, t, c, h, w) of frames (b, t, h, w, 3), scaled to a standard deviation of about one."""
        vae = self.part("vae")
        posterior = vae.encode(to_pixels(frames.flatten(0, 1))).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean)
        latents = (posterior.mean + posterior.std * noise).float() * vae.config.scaling_factor
        return latents.unflatten(0, frames.shape[:2])

    def text(self, captions: list[str], drop: Tensor) -> Tensor:
        kept = ["" if lost else caption for caption, lost in zip(captions, drop.tolist(), strict=True)]
        encoder = self.part("text_encoder")
        return encoder(tokenize(self.tokenizer, kept).to(encoder.device)).last_hidden_state

    def image(self, frame: Tensor, drop: Tensor) -> Tensor:
        """Image tokens (b, num_frames, q, d) of first frames (b, h, w, 3); a dropped one is mid grey."""
        from asva_unet import clip_image_pixels

        encoder = self.part("image_encoder")
        pixels = to_pixels(frame) * ~drop.view(-1, 1, 1, 1).to(frame.device)
        tokens = encoder(clip_image_pixels(pixels, encoder.config.image_size)).last_hidden_state
        return self.part("image_projector")(tokens).unflatten(1, (self.recipe.data.num_frames, -1))

    def audio(self, mel: Tensor, drop: Tensor, indices: Tensor) -> Tensor:
        """Audio tokens (b, k, l, d) of the frames at ``indices`` (b, k); a dropped sound is a zero spectrogram."""
        from asva_audio import frame_audio_tokens

        encoder, recipe = self.part("audio_encoder"), self.recipe
        tokens = encoder(mel * ~drop.view(-1, 1, 1, 1).to(mel.device)).last_hidden_state
        return frame_audio_tokens(
            tokens,
            indices,
            grid=encoder.grid,
            num_frames=recipe.data.num_frames,
            alignment=recipe.alignment,
            stage="keyframe",
        )

    def condition(self, latents: Tensor, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Condition channels: the first frame everywhere, or the keyframes among what ``fill`` says."""
        from asva_interp import masked_condition

        if self.recipe.task == "keyframe":
            return latents[:, :1].expand_as(latents)
        keyframes = latents[torch.arange(len(latents), device=latents.device)[:, None], indices]
        spread = torch.rand((len(latents), 1, 1, 1, 1), generator=generator) * self.recipe.keyframe_noise
        noise = torch.randn(keyframes.shape, generator=generator) * spread
        return masked_condition(
            keyframes + noise.to(keyframes),
            indices,
            latents.shape[1],
            fill=self.recipe.fill,
            mask_channel=self.recipe.mask_channel,
        )

    def prepare(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor, tuple]:
        """Latents, condition channels, and what the U-Net takes after the time step."""
        recipe, device = self.recipe, batch["mel"].device
        size, keyframe = len(batch["mel"]), recipe.task == "keyframe"
        latents = self.encode(batch["frames"], generator)
        chosen = batch["keyframe_indices"]
        indices = chosen if keyframe else torch.arange(latents.shape[1], device=device).expand(size, -1)
        image = self.image(batch["frames"][:, 0], drop["image"])
        fps = recipe.keyframe_fps if keyframe else round(recipe.data.fps)
        inputs = (
            self.text(batch["caption"], drop["text"]),
            image[torch.arange(size, device=device)[:, None], indices],
            self.audio(batch["mel"], drop["audio"], indices),
            torch.full((size,), fps, device=device),
            indices,
        )
        return latents, self.condition(latents, chosen, generator), inputs

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        recipe, device, size = self.recipe, batch["mel"].device, len(batch["mel"])
        latents, condition, inputs = self.prepare(batch, dropped(recipe, size, generator), generator)
        step = torch.randint(0, len(self.alphas_cumprod), (size,), generator=generator)
        level = self.alphas_cumprod[step].view(-1, 1, 1, 1, 1).to(device, torch.float32)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        clean = latents
        if recipe.dynamic_rescale:
            clean = latents * self.scale[step].view(-1, 1, 1, 1, 1).to(latents)
        noisy = level.sqrt() * clean + (1 - level).sqrt() * noise
        answer = self.part(self.unet_name)(torch.cat([noisy, condition], dim=2), step.to(device), *inputs).sample
        target, weight = self.target(clean, noise, condition[:, :, : latents.shape[2]], level)
        error = (answer.float() - target).square()
        moving = ((latents - latents[:, :1]).abs().amax(dim=(1, 2), keepdim=True) > 0.5).expand_as(error)
        return {
            "loss": (error * weight * (1 + recipe.motion_weight * moving)).mean(),
            "error": error.mean(),
            "moving_error": (error * moving).sum() / moving.sum().clamp(min=1),
        }

    def first_guess(self, batch: dict, generator: torch.Generator) -> Tensor:
        """Clean latents that the network sees in pure noise, (b, t, c, h, w)."""
        size, device = len(batch["mel"]), batch["mel"].device
        latents, condition, inputs = self.prepare(batch, dict.fromkeys(("text", "image", "audio"), torch.zeros(size, dtype=bool)), generator)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        last = torch.full((size,), len(self.alphas_cumprod) - 1, device=device)
        unet = self.part(self.unet_name)
        answer = unet(torch.cat([noise, condition], dim=2), last, *inputs).sample.float()
        if unet.config.prediction_type == "residual":
            return answer + condition[:, :, : latents.shape[2]]
        # Without any signal left, v is minus the clean latents; epsilon says nothing about them.
        return -answer if unet.config.prediction_type == "v_prediction" else answer

    def target(self, clean: Tensor, noise: Tensor, reference: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """What the network should answer, and the weight of its error."""
        kind = self.part(self.unet_name).config.prediction_type
        if kind == "v_prediction":
            return level.sqrt() * noise - (1 - level).sqrt() * clean, torch.ones_like(level)
        if kind == "epsilon":
            return noise, torch.ones_like(level)
        weight = (1 / (1 - level).clamp(min=1e-6)).clamp(max=self.recipe.low_noise_weight)
        return (clean - reference if kind == "residual" else clean), weight


class DiffusionTask:
    """Trains one of the two stages on top of the components that the model folder holds already."""

    def __init__(self, recipe: DiffusionRecipe, folder: Path):
        from asva_unet import make_scheduler

        self.recipe, self.folder = recipe, Path(folder)
        self.source = clip_source(recipe.data)
        self.tokenizer = self._tokenizer()
        parts = {name: self._part(name) for name in ("vae", *_CONDITIONERS, self._unet_name())}
        unet = parts[self._unet_name()]
        if recipe.loop.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
        for name, parameter in unet.named_parameters():
            parameter.requires_grad_(not recipe.trainable or any(re.search(p, name) for p in recipe.trainable))
        self.module = DiffusionLoss(recipe, parts, self.tokenizer, make_scheduler("ddim"))
        self.view = partial(clip_view, recipe=recipe)

    def _unet_name(self) -> str:
        return "keyframe_unet" if self.recipe.task == "keyframe" else "interp_unet"

    def _part(self, name: str) -> nn.Module:
        recipe = self.recipe
        learns = name == self._unet_name() or name in recipe.train
        if not learns:
            return read_component(name, self.folder / name)
        if name not in recipe.models:
            if name not in recipe.init:
                raise RunError(f"`models.{name}` must be given, or `init.{name}`, since {name} learns.")
            return read_component(name, recipe.init[name])
        part = build_component(name, recipe.models[name], recipe.loop.seed)
        if name in recipe.init:
            start_from(part, read_component(name, recipe.init[name]))
        return part

    def _tokenizer(self):
        from transformers import CLIPTokenizer

        if (self.folder / "tokenizer").is_dir():
            return CLIPTokenizer.from_pretrained(self.folder / "tokenizer")
        config = self.recipe.models.get("text_encoder")
        if config is None:
            raise RunError(f"`tokenizer` must be in {self.folder}, found nothing there. Convert a model first.")
        captions = [self.source[index].caption for index in range(2000)]
        tokenizer = caption_tokenizer(captions, config["vocab_size"], config["max_position_embeddings"])
        tokenizer.save_pretrained(self.folder / "tokenizer")
        return tokenizer

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above the network's answer from pure noise in one step (keyframes) or from true keyframes."""
        module, device = self.module, next(self.module.parameters()).device
        clip = self.source[10_000_000]
        batch = collate([self.view(clip, generator_at(self.recipe.loop.seed, 4))])
        batch = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
        answer = module.first_guess(batch, generator_at(self.recipe.loop.seed, 5))
        vae = module.part("vae")
        pixels = vae.decode(answer[0] / vae.config.scaling_factor).sample
        return {self.recipe.task: torch.cat([batch["frames"][0], to_frames(pixels)], dim=1)}

    def export(self, folder: Path) -> None:
        """Write the components that learned."""
        for name, part in self.module.learning.items():
            part.save_pretrained(folder / name)
