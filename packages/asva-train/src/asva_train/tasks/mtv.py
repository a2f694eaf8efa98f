"""Training of MTV: three tracks steer a video transformer (MTV, section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_audio import frame_windows
from asva_audio.mtv_features import hear_tracks
from asva_dit import MTVTransformer3DModel, freeze_all_but_control, latent_frames, make_scheduler
from asva_dit.control_file import is_control
from asva_dit.losses import MTVClips, MTVLoss, moving_cells
from asva_dit.masks import draw_masks
from asva_dit.pixels import decode_video, encode_video
from asva_dit.prompt import prompt_embeds
from asva_dit.stage import all_speakers
from asva_dit.training import second_speaker
from asva_pipelines.mtv.parts import part_class, read_part
from asva_train.diffusion_task import DenoisingTask
from asva_train.draws import generator_at
from asva_train.errors import RunError
from asva_train.mtv_clips import SECOND, TRACKS, mtv_view, named_tracks
from asva_train.run_order import collate
from asva_train.stored_clips import StoredClips
from asva_train.task_recipes import MTVRecipe
from asva_unet.losses import LearningParts
from asva_unet.pixels import to_frames, to_pixels

_FITTED = 96  # clips that the patches of the small model are fitted on
_SMALL = {"vae": "PatchVideoAutoencoder", "audio_encoder": "LogMelFrames"}


class MTVModule(LearningParts):
    """Clips as the transformer sees them, by the frozen parts, and the loss of its answer."""

    def __init__(self, recipe: MTVRecipe, parts: dict[str, Any], tokenizer: Any, learning: tuple[str, ...]):
        super().__init__(parts, learning)
        self.recipe, self.tokenizer = recipe, tokenizer
        self.loss = MTVLoss(self.unet, make_scheduler(snr_shift_scale=recipe.snr_shift_scale), recipe)

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """Latents (b, t, c, h, w) of frames (b, 4t - 3, h, w, 3): the mean of the posterior, the same at every step."""
        return encode_video(self.part("vae"), to_pixels(frames)).float()

    @torch.no_grad()
    def audio(self, stems: Tensor, num_frames: int) -> dict[str, Tensor]:
        """Features of each track of (b, 3, s) stems, or (b, 4, s) with a second voice, which else says nothing."""
        tracks = named_tracks(stems.unbind(1))
        config, fps, ear = self.unet.config, self.recipe.data.fps, self.part("audio_encoder")
        heard = hear_tracks(ear, tracks, num_frames, num_frames, fps=fps, window=config.audio_window)
        return all_speakers(heard, config.num_speakers)

    def stored_audio(self, batch: dict) -> dict[str, Tensor]:
        """The same of stored features (b, t, layers, d) of each track."""
        config, names = self.unet.config, (name for name in (*TRACKS, SECOND) if name in batch)
        heard = {f"{name}_embeds": frame_windows(batch[name].float(), config.audio_window) for name in names}
        return all_speakers(heard, config.num_speakers)

    def clips(self, batch: dict) -> MTVClips:
        """A batch as the transformer sees it."""
        if "text" in batch:
            return MTVClips(batch["frames"].float(), batch["text"].float(), self.stored_audio(batch))
        frames, length = batch["frames"], self.unet.config.max_text_seq_length
        latents, still = self.encode(frames), None
        if self.recipe.prediction_type == "residual":
            still = self.encode(frames[:, :1].expand_as(frames))
        text = prompt_embeds(self.tokenizer, self.part("text_encoder"), batch["caption"], length).float()
        heard = self.audio(batch["stems"], frames.shape[1])
        return MTVClips(latents, text, heard, still, moving_cells(batch["moving"], latents.shape))

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        return self.loss(self.clips(batch), generator)

    def first_guess(self, batch: dict, generator: torch.Generator) -> Tensor:
        """Clean latents that the network sees in pure noise beside the first frame, (b, t, c, h, w)."""
        return self.loss.first_guess(self.clips(batch), generator)


class MTVTask(DenoisingTask):
    """Trains the control of MTV, and of its base what the recipe lets learn."""

    recipe: MTVRecipe
    unet_name = "mtv_transformer"
    conditioners = ("text_encoder", "audio_encoder")
    num_captions = 500

    def __init__(self, recipe: MTVRecipe, folder: Path) -> None:
        latent_frames(recipe.data.num_frames)  # raises where it is not 4k + 1
        draw_masks(recipe.frame_masks, 1, 13, generator_at(0))
        super().__init__(recipe, folder)

    def make_view(self) -> Callable[..., dict]:
        return partial(mtv_view, tracks=self.recipe.tracks, demixer=self.recipe.stems)

    def make_loss(self, parts: dict[str, Any]) -> LearningParts:
        return MTVModule(self.recipe, parts, self.tokenizer, self.learning())

    def choose(self, network: Any) -> None:
        if self.recipe.learns != "everything":
            freeze_all_but_control(network, backbone_attention=self.recipe.learns == "attention")

    def build(self, name: str) -> Any:
        if name in _SMALL:
            return part_class(_SMALL[name])(**self.recipe.models[name])
        return super().build(name)

    def part(self, name: str) -> Any:
        """A component as this training begins with it; small parts that do not learn are made once and stored."""
        made = name in self.recipe.models and name not in self.learning()
        if made and not (self.folder / name / "config.json").is_file():
            part = self.build(name)
            if hasattr(part, "fit"):  # on clips that no training sees
                frames = [{"frames": self.source[20_000_000 + index].frames} for index in range(_FITTED)]
                part.fit(to_pixels(collate(frames)["frames"]).movedim(1, 2))
            part.save_pretrained(self.folder / name)
        return super().part(name)

    def read(self, name: str, folder: Path) -> Any:
        """A component out of its folder; a transformer of CogVideoX is given a control."""
        part, control = read_part(name, Path(folder), self.dtype_of(name)), self.recipe.control
        if name != self.unet_name:
            return part
        if not hasattr(part, "encode_audio"):
            generator = generator_at(self.recipe.loop.seed, 6)
            return MTVTransformer3DModel.from_transformer(part, generator=generator, **control)
        wanted, speakers = control.get("num_speakers", part.config.num_speakers), part.config.num_speakers
        if wanted < speakers:
            raise RunError(f"`control.num_speakers` must be {speakers}, that of {folder}, got {wanted}.")
        return second_speaker(part) if wanted > speakers else part

    def take_stored(self, source: StoredClips) -> None:
        if self.recipe.prediction_type == "residual":
            raise RunError("`prediction_type` must be v_prediction with stored latents, which hold no still frame.")
        if "text_encoder" in self.learning():
            raise RunError("`train` must leave text_encoder out with stored tokens, which another would not fit.")
        super().take_stored(source)
        stored, length = len(source[0].tokens["text"]), self.module.unet.config.max_text_seq_length
        if stored != length:
            raise RunError(f"`data.root` must hold texts of {length} tokens, as the network takes them, got {stored}.")

    def true_frames(self, batch: dict) -> Tensor:
        return self.decode(batch["frames"][0].float()) if "text" in batch else batch["frames"][0]

    def decode(self, latents: Tensor) -> Tensor:
        return to_frames(decode_video(self.module.part("vae"), latents[None])[0])

    def export(self, folder: Path) -> None:
        """Write the components that learned, and of the network the control alone too where the base was frozen."""
        super().export(folder)
        if self.recipe.learns != "everything":
            network = self.module.unet
            moved = (name for name, weight in network.named_parameters() if weight.requires_grad)
            base = tuple(name for name in moved if not is_control(name))
            network.save_control(folder / "control.safetensors", trained=base)
