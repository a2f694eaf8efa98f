"""Training of KeyVID's two stages: keyframes from sound, every frame from keyframes (KeyVID, sections 3.2 and 3.3)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from asva_audio import frame_audio_tokens
from asva_interp import masked_condition
from asva_train.diffusion_task import DenoisingTask
from asva_train.task_recipes import DiffusionRecipe
from asva_train.views import clip_view
from asva_unet.losses import KeyVIDLoss


class KeyVIDTask(DenoisingTask):
    """Trains one of the two stages."""

    recipe: DiffusionRecipe
    loss = KeyVIDLoss
    conditioners = ("text_encoder", "image_encoder", "image_projector", "audio_encoder")

    @property
    def unet_name(self) -> str:
        return f"{self.recipe.task}_unet"

    def make_view(self) -> Callable[..., dict]:
        return partial(clip_view, recipe=self.recipe)

    def parts(self) -> dict[str, Any]:
        generator = {"keyframe_unet": self.part("keyframe_unet")} if self.recipe.generated_keyframes else {}
        return super().parts() | generator

    def loss_options(self, parts: dict[str, Any]) -> dict[str, Any]:
        recipe = self.recipe
        frames = {"num_frames": recipe.data.num_frames, "alignment": recipe.alignment, "stage": "keyframe"}
        return {
            "frame_tokens": partial(frame_audio_tokens, grid=parts["audio_encoder"].grid, **frames),
            "lay_out": partial(masked_condition, fill=recipe.fill, mask_channel=recipe.mask_channel),
        }
