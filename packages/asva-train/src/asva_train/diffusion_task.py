"""Training of a video network on top of what a model folder, or another model, holds."""

import re
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from asva_train.clips import clip_source
from asva_train.components import build_component, caption_tokenizer, find_component, read_component, start_from
from asva_train.draws import generator_at
from asva_train.loop import RunError
from asva_train.run_order import collate
from asva_train.stored_clips import StoredClips
from asva_train.task_recipes import DenoiserRecipe
from asva_train.token_sets import tokens_of_recipe
from asva_train.views import whole_clip
from asva_unet.losses import DenoisingLoss
from asva_unet.pixels import to_frames


class DenoisingTask:
    """Trains a U-Net and what else a recipe lets learn; a family says which loss and which components.

    Args:
        recipe: What to train.
        folder: Model folder; parts are read from it, or else from the recipe's ``base``.
    """

    loss: ClassVar[type[DenoisingLoss]]
    conditioners: ClassVar[tuple[str, ...]]

    def __init__(self, recipe: DenoiserRecipe, folder: Path):
        from asva_unet import make_scheduler

        self.recipe, self.folder, self.base = recipe, Path(folder), base_folder(recipe.base)
        self.source = clip_source(recipe.data)
        self.view = partial(whole_clip, learning=recipe.train)
        self.tokenizer = self._tokenizer()
        parts = self.parts()
        if recipe.loop.gradient_checkpointing:
            parts[self.unet_name].enable_gradient_checkpointing()
        for name, parameter in parts[self.unet_name].named_parameters():
            parameter.requires_grad_(not recipe.trainable or any(re.search(p, name) for p in recipe.trainable))
        schedule = make_scheduler("ddim", zero_terminal_snr=recipe.zero_terminal_snr)
        self.module = self.loss(recipe, parts, self.tokenizer, schedule, self.learning())
        if isinstance(self.source, StoredClips):
            self.take_stored(self.source)

    @property
    def unet_name(self) -> str:
        """Component that is the U-Net."""
        raise NotImplementedError

    def learning(self) -> tuple[str, ...]:
        """Components that learn, the U-Net first."""
        return (self.unet_name, *(name for name in self.recipe.train if name != self.unet_name))

    def parts(self) -> dict[str, nn.Module]:
        """Every component by name."""
        return {name: self.part(name) for name in ("vae", *self.conditioners, self.unet_name)}

    def part(self, name: str) -> nn.Module:
        """A component as this training begins with it."""
        recipe = self.recipe
        if name not in self.learning():
            return self.read(name, self.find(name))
        if name not in recipe.models:
            if name not in recipe.init and recipe.base is None:
                raise RunError(f"`models.{name}` must be given, or `init.{name}` or `base`, since {name} learns.")
            return self.read(name, recipe.init.get(name) or find_component(name, [self.base]))
        part = build_component(name, self.config(name), recipe.loop.seed)
        if name in recipe.init:
            start_from(part, self.read(name, recipe.init[name]))
        return part

    def config(self, name: str) -> dict[str, Any]:
        """Config of a component that is built here."""
        return self.recipe.models[name]

    def read(self, name: str, folder: Path) -> nn.Module:
        """A component out of its folder."""
        return read_component(name, folder)

    def find(self, name: str) -> Path:
        """Where a component lies that does not learn."""
        if name in self.recipe.init:
            return self.recipe.init[name]
        return find_component(name, [self.folder, self.base])

    def take_stored(self, source: StoredClips) -> None:
        """See that stored latents and tokens are those that this training wants, of its encoders.

        Raises:
            ValueError: If they are not.
            RunError: If what made them learns.
        """
        wanted, learning = tokens_of_recipe(self.recipe), self.learning()
        source.check_tokens(wanted)
        for name in ("vae", *wanted.ears, *wanted.towers):
            if name not in learning:
                source.check_encoder(name, self.find(name))
            elif name not in wanted.towers:
                raise RunError(f"`train` must leave {name} out with stored latents, which another would not fit.")
        if "text_encoder" not in learning:
            source.check_tokenizer(self.tokenizer)
        self.module.nothing = source.nothing
        for name in wanted.towers:  # nobody asks them any more
            self.module.frozen.pop(name, None)

    def _tokenizer(self):
        from transformers import CLIPTokenizer

        for folder in (self.folder, self.base):
            if folder is not None and (folder / "tokenizer").is_dir():
                return CLIPTokenizer.from_pretrained(folder / "tokenizer")
        config = self.recipe.models.get("text_encoder")
        if config is None:
            raise RunError(f"`tokenizer` must be in {self.folder}, found nothing there. Convert a model first.")
        captions = [self.source[index].caption for index in range(2000)]
        tokenizer = caption_tokenizer(captions, config["vocab_size"], config["max_position_embeddings"])
        tokenizer.save_pretrained(self.folder / "tokenizer")
        return tokenizer

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above the network's answer from pure noise in one step, with what it is given of them."""
        module, device = self.module, next(self.module.parameters()).device
        clip = self.source[10_000_000]
        batch = collate([self.view(clip, generator_at(self.recipe.loop.seed, 4))])
        batch = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
        module.eval()
        answer = module.first_guess(batch, generator_at(self.recipe.loop.seed, 5))
        module.train()
        vae, true = module.part("vae"), batch["frames"][0]
        if true.ndim == 5:  # stored latents, mean and deviation
            true = to_frames(vae.decode(true[:, 0].float()).sample)
        pixels = vae.decode(answer[0] / vae.config.scaling_factor).sample
        return {self.recipe.task: torch.cat([true, to_frames(pixels)], dim=1)}

    def export(self, folder: Path) -> None:
        """Write the components that learned."""
        for name, part in self.module.learning.items():
            part.save_pretrained(folder / name)


def base_folder(base: str | None) -> Path | None:
    """Folder of the model that a recipe builds on; any folder, or a model that `asva_pipelines` knows by name.

    Raises:
        RunError: If there is none.
    """
    from asva_pipelines import resolve_model
    from asva_weights import ModelError

    if base is None or Path(base).is_dir():
        return None if base is None else Path(base)
    try:
        return resolve_model(base)
    except ModelError as error:
        raise RunError(f"`base` must be a model's folder or name, got {base}: {error}") from error
