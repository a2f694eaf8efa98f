"""Training of AVSyncD and of its baseline I2VD (AVSyncD, section 4)."""

from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from asva_audio import encoder_segment_mask
from asva_train.components import build_component, component_kind
from asva_train.diffusion_task import DenoisingTask
from asva_train.draws import generator_at
from asva_train.errors import RunError
from asva_train.stored_clips import StoredClips
from asva_train.task_recipes import AVSyncDRecipe
from asva_train.token_sets import clip_seconds
from asva_unet import AVSyncDUNet
from asva_unet.losses import AVSyncDLoss


class AVSyncDTask(DenoisingTask):
    """Trains AVSyncD, or I2VD where the recipe's task says so."""

    recipe: AVSyncDRecipe
    loss = AVSyncDLoss

    @property
    def unet_name(self) -> str:
        return f"{self.recipe.task}_unet"

    @property
    def conditioners(self) -> tuple[str, ...]:
        return ("text_encoder", "audio_encoder") if self._switches()["audio"] else ("text_encoder",)

    def loss_options(self, parts: dict[str, Any]) -> dict[str, Any]:
        recipe = self.recipe
        if (ears := parts.get("audio_encoder")) is None:
            return {}
        silence = ears.null_spectrogram(seconds=clip_seconds(recipe.data))
        heard = encoder_segment_mask(ears, silence, recipe.data.num_frames, window=recipe.segment_window)
        return {"heard": heard, "silence": silence, "drop_path": recipe.encoder_drop_path == "official"}

    def build(self, name: str) -> Any:
        """As in any task; the recipe's switches are those of the network."""
        if name != self.unet_name:
            return super().build(name)
        return build_component(name, self.recipe.models[name] | self._switches(), self.recipe.loop.seed)

    def read(self, name: str, folder: Path) -> Any:
        """A component out of its folder; Stable Diffusion's U-Net becomes one of ours."""
        if name != self.unet_name or component_kind(folder) != "UNet2DConditionModel":
            return super().read(name, folder)
        return AVSyncDUNet.from_unet2d(
            UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32),
            initialization=self.recipe.initialization,
            generator=generator_at(self.recipe.loop.seed, 6),
            **self._switches(),
            **(
                {"audio_cross_attention_dim": self.hidden_size("audio_encoder")}
                if self.recipe.task == "avsyncd"
                else {}
            ),
        )

    def take_stored(self, source: StoredClips) -> None:
        if self.recipe.task == "avsyncd" and self.recipe.encoder_drop_path == "official":
            raise RunError(
                "`encoder_drop_path` must be none with stored tokens, which an encoder made that skips nothing."
            )
        super().take_stored(source)

    def _switches(self) -> dict[str, bool]:
        return {
            "audio": self.recipe.task == "avsyncd",
            "first_frame_conv": self.recipe.first_frame_conv,
            "first_frame_attention": self.recipe.first_frame_attention,
        }
