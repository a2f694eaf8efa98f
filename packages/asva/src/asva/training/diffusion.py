"""Loss of the two diffusion stages: keyframes from sound, every frame from keyframes (KeyVID, sections 3.2, 3.3)."""

import torch
from torch import Tensor, nn

from asva.pipelines.tokens import audio_tokens, image_tokens, project, text_tokens
from asva.training.recipe import DiffusionRecipe
from asva.training.vae import to_pixels


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
        self.frozen = {
            name: part.eval().requires_grad_(False) for name, part in parts.items() if name not in self.learning
        }
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
        """Text tokens (b, n, d); a dropped caption is empty."""
        kept = ["" if lost else caption for caption, lost in zip(captions, drop.tolist(), strict=True)]
        return text_tokens(self.tokenizer, self.part("text_encoder"), kept)

    def image(self, frame: Tensor, drop: Tensor, indices: Tensor) -> Tensor:
        """Image tokens (b, k, q, d) of first frames (b, h, w, 3); a dropped one is mid grey."""
        pixels = to_pixels(frame) * ~drop.view(-1, 1, 1, 1).to(frame.device)
        tokens = project(self.part("image_projector"), image_tokens(self.part("image_encoder"), pixels))
        if tokens.shape[1] == 1:
            return tokens
        return tokens[torch.arange(len(indices), device=indices.device)[:, None], indices]

    def audio(self, mel: Tensor, drop: Tensor, indices: Tensor) -> Tensor:
        """Audio tokens (b, k, l, d) of the frames at ``indices`` (b, k); a dropped sound is a zero spectrogram."""
        from asva_audio import frame_audio_tokens

        encoder, recipe = self.part("audio_encoder"), self.recipe
        return frame_audio_tokens(
            audio_tokens(encoder, mel * ~drop.view(-1, 1, 1, 1).to(mel.device)),
            indices,
            grid=encoder.grid,
            num_frames=recipe.data.num_frames,
            alignment=recipe.alignment,
            stage="keyframe",
        )

    def condition(self, latents: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
        """Condition channels: the first frame everywhere, or the known frames (b, t) among what ``fill`` says."""
        from asva_interp import masked_condition

        if self.recipe.task == "keyframe":
            return latents[:, :1].expand_as(latents)
        spread = torch.rand((len(latents), 1, 1, 1, 1), generator=generator) * self.recipe.keyframe_noise
        given = latents + (torch.randn(latents.shape, generator=generator) * spread).to(latents)
        options = {"fill": self.recipe.fill, "mask_channel": self.recipe.mask_channel}
        conditions = []
        for clip, mask in zip(given, known, strict=True):
            indices = mask.nonzero().T
            conditions.append(masked_condition(clip[None, indices[0]], indices, len(clip), **options))
        return torch.cat(conditions)

    def prepare(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor, tuple]:
        """Latents, condition channels, and what the U-Net takes after the time step."""
        latents, indices = self.encode(batch["frames"], generator), batch["frame_indices"]
        inputs = (
            self.text(batch["caption"], drop["text"]),
            self.image(batch["frames"][:, 0], drop["image"], indices),
            self.audio(batch["mel"], drop["audio"], indices),
            batch["fps"],
            indices,
        )
        return latents, self.condition(latents, batch["known"], generator), inputs

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        recipe, device, size = self.recipe, batch["mel"].device, len(batch["mel"])
        latents, condition, inputs = self.prepare(batch, dropped(recipe, size, generator), generator)
        share = 1 - torch.rand(size, generator=generator, dtype=torch.float64) ** recipe.noise_bias
        step = (share * len(self.alphas_cumprod)).long().clamp(max=len(self.alphas_cumprod) - 1)
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
        latents, condition, inputs = self.prepare(
            batch, dict.fromkeys(("text", "image", "audio"), torch.zeros(size, dtype=bool)), generator
        )
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
