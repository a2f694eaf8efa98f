"""LoRA layers in the attention of a trained video network (arXiv 2106.09685)."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_pipelines.lora_files import write_lora
from asva_train.assemble import FAMILIES
from asva_train.diffusion_task import DenoisingTask
from asva_train.errors import RunError
from asva_train.task_recipes import LoRARecipe

# What a pipeline calls the networks that trainings know by other names.
_PARTS = {component: part for family in FAMILIES.values() for part, component in family.parts.items()}


class LoRATask:
    """Trains LoRA layers with the clips and the loss of a method, and nothing else of its networks.

    Args:
        recipe: What to train.
        method: The training of the network that is adapted, as it would go on from the model.

    Raises:
        RunError: If no layer is named, or the weights shall be spread over processes.
    """

    def __init__(self, recipe: LoRARecipe, method: DenoisingTask) -> None:
        from peft import LoraConfig

        if recipe.loop.sharding != "none":
            raise RunError(f"`loop.sharding` must be none for LoRA, got {recipe.loop.sharding}.")
        self.recipe, self.method = recipe, method
        self.source, self.view, self.module = method.source, method.view, method.module
        self.module.requires_grad_(False)
        alpha = recipe.rank if recipe.alpha is None else recipe.alpha
        config = LoraConfig(r=recipe.rank, lora_alpha=alpha, target_modules=list(recipe.targets))
        with torch.random.fork_rng():
            torch.manual_seed(recipe.loop.seed)
            try:
                self.module.unet.add_adapter(config)
            except ValueError as error:
                raise RunError(
                    f"`targets` must name layers of the network, got {', '.join(recipe.targets)}."
                ) from error

    def previews(self) -> dict[str, Tensor]:
        """Those of the method."""
        return self.method.previews()

    def export(self, folder: Path) -> None:
        """Write the file that :meth:`load_lora_weights` of a pipeline and ``asva sample --lora`` read."""
        network: Any = self.module.unet
        write_lora(folder, {_PARTS[self.method.unet_name]: network})
