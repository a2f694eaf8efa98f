"""Training of a video network on top of what a model folder, or another model, holds."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from asva_pipelines import resolve_model
from asva_pipelines.loading.folders import quiet_libraries
from asva_train.clips import clip_source
from asva_train.components import (
    build_component,
    caption_tokenizer,
    find_component,
    read_component,
    read_tokenizer,
    start_from,
)
from asva_train.draws import generator_at
from asva_train.errors import RunError
from asva_train.fingerprints import component_hash, tokenizer_hash
from asva_train.run_order import collate, to_device
from asva_train.stored_clips import StoredClips
from asva_train.task_recipes import DenoiserRecipe
from asva_train.token_sets import tokens_of_recipe
from asva_train.views import whole_clip
from asva_unet import make_scheduler
from asva_unet.losses import DenoisingLoss, LearningParts
from asva_unet.pixels import to_frames
from asva_weights import DownloadPlan, ModelError


class DenoisingTask:
    """Trains a video network and what else a recipe lets learn; a method says which loss and which components.

    Attributes:
        loss: Class of the loss.
        unet_name: Component that is the video network.
        conditioners: Components that say what it looks at and listens to.
        num_captions: Clips whose captions a small tokenizer is learned from.

    Args:
        recipe: What to train.
        folder: Model folder; parts are read from it, or else from the recipe's ``base``.
    """

    loss: ClassVar[type[DenoisingLoss]]
    unet_name: str
    conditioners: tuple[str, ...]
    num_captions: ClassVar[int] = 2000

    def __init__(self, recipe: DenoiserRecipe, folder: Path):
        self.recipe, self.folder, self.base = recipe, Path(folder), base_folder(recipe.base)
        self.fitted: dict[str, nn.Module] = {}  # parts that were made to fit and lie nowhere in that form
        self.source, self.view = clip_source(recipe.data), self.make_view()
        self.tokenizer = self._tokenizer()
        parts = self.parts()
        if recipe.loop.gradient_checkpointing:
            parts[self.unet_name].enable_gradient_checkpointing()
        self.choose(parts[self.unet_name])
        self.module: Any = self.make_loss(parts)
        if isinstance(self.source, StoredClips):
            self.take_stored(self.source)

    def make_view(self) -> Callable[..., dict]:
        """What the network is shown of a clip; processes that prepare clips are sent it."""
        return partial(whole_clip, learning=self.recipe.train)

    def choose(self, network: nn.Module) -> None:
        """Let learn what the recipe says of the video network."""
        patterns = self.recipe.trainable
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not patterns or any(re.search(pattern, name) for pattern in patterns))

    def make_loss(self, parts: dict[str, Any]) -> LearningParts:
        """The module whose forward pass gives the loss."""
        schedule = make_scheduler("ddim", zero_terminal_snr=self.recipe.zero_terminal_snr)
        return self.loss(self.recipe, parts, self.tokenizer, schedule, self.learning(), **self.loss_options(parts))

    def loss_options(self, parts: dict[str, Any]) -> dict[str, Any]:
        """What the loss of the method takes besides."""
        return {}

    def learning(self) -> tuple[str, ...]:
        """Components that learn, the U-Net first."""
        return (self.unet_name, *(name for name in self.recipe.train if name != self.unet_name))

    def parts(self) -> dict[str, Any]:
        """Every component by name, without encoders whose answers are stored."""
        names = ("vae", *self.conditioners, self.unet_name)
        stored = tokens_of_recipe(self.recipe) if isinstance(self.source, StoredClips) else None
        unasked = set(() if stored is None else stored.towers) - set(self.learning())
        return {name: self.part(name) for name in names if name not in unasked}

    def part(self, name: str) -> Any:
        """A component as this training begins with it."""
        recipe = self.recipe
        if name not in self.learning():
            return self.read(name, self.find(name))
        if name not in recipe.models:
            if name not in recipe.init and recipe.base is None:
                raise RunError(f"`models.{name}` must be given, or `init.{name}` or `base`, since {name} learns.")
            return self.read(name, recipe.init.get(name) or find_component(self.stored_name(name), [self.base]))
        part = self.build(name)
        if name in recipe.init:
            start_from(part, self.read(name, recipe.init[name]))
        return part

    def build(self, name: str) -> Any:
        """A component with random weights, as the recipe describes it."""
        return build_component(name, self.recipe.models[name], self.recipe.loop.seed)

    def read(self, name: str, folder: Path) -> Any:
        """A component out of its folder; a projector for clips of another length is made to fit."""
        part, num_frames = read_component(name, folder, self.dtype_of(name)), self.recipe.data.num_frames
        if name != "image_projector" or part.config.num_frames in (1, num_frames):
            return part
        self.fitted[name] = part.with_num_frames(num_frames)
        return self.fitted[name]

    def dtype_of(self, name: str) -> torch.dtype:
        """In which a component is read."""
        frozen_text = name == "text_encoder" and name not in self.learning()
        return getattr(torch, self.recipe.text_precision) if frozen_text else torch.float32

    def find(self, name: str) -> Path:
        """Where a component lies that does not learn."""
        if name in self.recipe.init:
            return self.recipe.init[name]
        return find_component(self.stored_name(name), [self.folder, self.base])

    def stored_name(self, name: str) -> str:
        """What a component is called in model folders."""
        return name

    def hidden_size(self, name: str) -> int:
        """Width of the tokens of an encoder that does not learn."""
        config = (self.find(name) / "config.json").read_text(encoding="utf-8")
        return json.loads(config)["hidden_size"]

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
                source.check_made_with(name, component_hash(self.find(name)), self.find(name))
            elif name not in wanted.towers:
                raise RunError(f"`train` must leave {name} out with stored latents, which another would not fit.")
        if "text_encoder" not in learning:
            source.check_made_with("tokenizer", tokenizer_hash(self.tokenizer), "this training")
        self.module.nothing = source.nothing

    def _tokenizer(self) -> Any:
        """That of the folder or the base; or a small one, learned from captions."""
        found = read_tokenizer([self.folder, self.base])
        if found is not None:
            return found
        config = self.recipe.models.get("text_encoder")
        if config is None:
            raise RunError(f"`tokenizer` must be in {self.folder}, found nothing there. Convert a model first.")
        caption_at = getattr(self.source, "caption_at", lambda index: self.source[index].caption)
        captions = [caption_at(index) for index in range(self.num_captions)]
        tokenizer = caption_tokenizer(captions, config["vocab_size"], config["max_position_embeddings"])
        tokenizer.save_pretrained(self.folder / "tokenizer")
        return tokenizer

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above the network's answer from pure noise in one step, with what it is given of them."""
        module, device = self.module, next(self.module.parameters()).device
        clip = self.source[10_000_000]
        batch = to_device(collate([self.view(clip, generator_at(self.recipe.loop.seed, 4))]), device)
        module.eval()
        answer = module.first_guess(batch, generator_at(self.recipe.loop.seed, 5))
        module.train()
        return {self.recipe.task: torch.cat([self.true_frames(batch), self.decode(answer[0])], dim=1)}

    def true_frames(self, batch: dict) -> Tensor:
        """Frames (t, h, w, 3) uint8 of the first clip of a batch, decoded where latents are stored."""
        true = batch["frames"][0]
        return true if true.ndim == 4 else to_frames(self.module.part("vae").decode(true[:, 0].float()).sample)

    def decode(self, latents: Tensor) -> Tensor:
        """Frames (t, h, w, 3) uint8 of latents (t, c, h, w)."""
        vae = self.module.part("vae")
        return to_frames(vae.decode(latents / vae.config.scaling_factor).sample)

    def export(self, folder: Path) -> None:
        """Write the components that learned, or were made to fit."""
        parts: dict[str, Any] = self.fitted | dict(self.module.learning)
        with quiet_libraries():
            for name, part in parts.items():
                part.save_pretrained(folder / self.stored_name(name))


def fetch_base(recipe: Any, confirm: Callable[[DownloadPlan], bool], *, cpu: bool = False) -> None:
    """Fetch and convert the model that a recipe builds on, if it does: the first process for all of them.

    Raises:
        RunError: If there is none, or it must be downloaded and that was not confirmed.
    """
    from accelerate import PartialState

    if (base := getattr(recipe, "base", None)) is not None:
        with PartialState(cpu=cpu).local_main_process_first():
            base_folder(base, confirm)


def base_folder(base: str | None, confirm: Callable[[DownloadPlan], bool] | None = None) -> Path | None:
    """Folder of the model that a recipe builds on; any folder, or a model that `asva_pipelines` knows by name.

    Args:
        base: The folder or the name.
        confirm: Asked before anything is downloaded; without it nothing ever is.

    Raises:
        RunError: If there is none.
    """
    if base is None:
        return None
    try:  # a folder of components is taken as it is; one of released files is converted
        return Path(base) if any(Path(base).glob("*/config.json")) else resolve_model(base, confirm=confirm)
    except ModelError as error:
        raise RunError(f"`base` must be a model's folder or name, got {base}: {error}") from error
