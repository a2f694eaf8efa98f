"""Training of KeyVID's two stages: keyframes from sound, every frame from keyframes (KeyVID, sections 3.2 and 3.3)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from asva_audio import frame_audio_tokens, invert_imagebind_audio, read_imagebind
from asva_interp import masked_condition
from asva_train.components import find_component, read_component
from asva_train.diffusion_task import DenoisingTask
from asva_train.draws import generator_at
from asva_train.task_recipes import DiffusionRecipe
from asva_train.views import clip_view
from asva_unet import with_audio
from asva_unet.losses import KeyVIDLoss

EARS = (10, 4)  # stride of the audio encoder: a column for each of 48 frames


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

    def stored_name(self, name: str) -> str:
        """The two stages have a projector each."""
        return f"interp_{name}" if name == "image_projector" and self.recipe.task == "interp" else name

    def parts(self) -> dict[str, Any]:
        """Every component by name; the generator looks through the projector that it was trained with."""
        if not self.recipe.generated_keyframes:
            return super().parts()
        projector = find_component("image_projector", [self.folder, self.base])
        generator = {
            "keyframe_unet": self.part("keyframe_unet"),
            "keyframe_image_projector": read_component("image_projector", projector),
        }
        return generator | super().parts()

    def read(self, name: str, folder: Path) -> Any:
        """A component out of its folder; those of DynamiCrafter and of ImageBind are made to fit."""
        part, recipe = super().read(name, folder), self.recipe
        if name == self.unet_name and not part.config.audio_cross_attention:
            options = {
                "frame_index_embedding": recipe.task == "keyframe",
                "generator": generator_at(recipe.loop.seed, 6),
            }
            return with_audio(part, audio_embed_dim=self.hidden_size("audio_encoder"), **options)
        if name == "audio_encoder" and part.strides != EARS:
            heads, state = part.config.num_attention_heads, invert_imagebind_audio(part.state_dict())
            part = self.fitted[name] = read_imagebind(state, stride=EARS, num_attention_heads=heads)
        return part

    def loss_options(self, parts: dict[str, Any]) -> dict[str, Any]:
        recipe = self.recipe
        frames = {"num_frames": recipe.data.num_frames, "alignment": recipe.alignment, "stage": "keyframe"}
        return {
            "frame_tokens": partial(frame_audio_tokens, grid=parts["audio_encoder"].grid, **frames),
            "lay_out": partial(masked_condition, fill=recipe.fill, mask_channel=recipe.mask_channel),
        }
