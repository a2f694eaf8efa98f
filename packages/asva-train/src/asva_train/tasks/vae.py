"""Training of the autoencoder between pixels and latents."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asva_train.clips import clip_source
from asva_train.components import start_from
from asva_train.draws import generator_at
from asva_train.run_order import collate
from asva_train.task_recipes import VAERecipe
from asva_train.training_clip import TrainingClip
from asva_unet.losses import AutoencoderLoss
from asva_unet.pixels import to_frames, to_pixels


def frames_view(clip: TrainingClip, generator: torch.Generator, num_frames: int) -> dict:
    """Some frames of a clip, and where they move."""
    chosen = torch.randperm(len(clip.frames), generator=generator)[:num_frames].sort().values.numpy()
    return {"frames": clip.frames[chosen], "moving": clip.moving[chosen]}


def _start_residuals_at_zero(vae: Any) -> None:
    """Residual branches that start at zero learn several times faster here (docs/decisions.md)."""
    for layer in vae.modules():
        if hasattr(layer, "conv2"):
            nn.init.zeros_(layer.conv2.weight)
            nn.init.zeros_(layer.conv2.bias)


class VAETask:
    """Trains ``diffusers.AutoencoderKL`` from scratch and measures the scale of its latents."""

    def __init__(self, recipe: VAERecipe, folder: Path):
        from diffusers import AutoencoderKL

        self.recipe, self.source = recipe, clip_source(recipe.data)
        with torch.random.fork_rng():
            torch.manual_seed(recipe.loop.seed)
            self.vae = AutoencoderKL(**recipe.model)
        if recipe.init is None:
            _start_residuals_at_zero(self.vae)
        else:
            start_from(self.vae, AutoencoderKL.from_pretrained(recipe.init))
        weights = {name: getattr(recipe, name) for name in ("kl_weight", "motion_weight", "tone_weight")}
        self.module = AutoencoderLoss(self.vae, **weights)
        self.view = partial(frames_view, num_frames=recipe.frames_per_clip)

    def _clips(self, num: int) -> Tensor:
        samples = [{"frames": self.source[10_000_000 + index].frames} for index in range(num)]
        return collate(samples)["frames"].to(self.vae.device)

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above restored ones."""
        frames = self._clips(1)[0]
        restored = to_frames(self.vae(to_pixels(frames)).sample)
        return {"reconstruction": torch.cat([frames, restored], dim=1)}

    @torch.no_grad()
    def export(self, folder: Path) -> None:
        """Write ``vae``, with the scaling factor that gives latents a standard deviation of one."""
        latents = self.vae.encode(to_pixels(self._clips(8)[:, ::6].flatten(0, 1))).latent_dist
        noise = torch.randn(latents.mean.shape, generator=generator_at(self.recipe.loop.seed, 3))
        scale = (latents.mean + latents.std * noise.to(latents.mean.device)).std()
        self.vae.register_to_config(scaling_factor=round(1 / float(scale), 5))
        self.vae.save_pretrained(folder / "vae")
