"""Training of one diffusion stage on top of what a model folder holds (KeyVID, section 4)."""

import re
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from asva.training.clips import clip_source, collate
from asva.training.components import build_component, caption_tokenizer, read_component, start_from
from asva.training.diffusion import DiffusionLoss
from asva.training.draws import generator_at
from asva.training.loop import RunError
from asva.training.recipe import DiffusionRecipe
from asva.training.vae import to_frames
from asva.training.views import clip_view

_CONDITIONERS = ("text_encoder", "image_encoder", "image_projector", "audio_encoder")


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
