"""AVSyncD and its baseline I2VD: a clip is denoised around its clean first frame (AVSyncD, section 4)."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asva_train.diffusion_task import DenoisingTask
from asva_train.draws import generator_at
from asva_train.loop import RunError
from asva_train.stored_clips import StoredClips
from asva_unet.losses import DenoisingLoss, Question


class AVSyncDLoss(DenoisingLoss):
    """Noising of all frames at one time step, the first frame put back clean, error of the others."""

    given_frames = 1

    def audio(self, sound: Tensor, drop: Tensor) -> tuple[Tensor, Tensor]:
        """Audio tokens (b, n, d) of sounds (b, s), or where they are stored, and what each frame attends to (t, n)."""
        num_frames = self.recipe.data.num_frames
        if sound.ndim == 3:
            return self.stored("audio", sound, drop), self.mask(num_frames, sound.device)
        return self.hear(self.part("audio_encoder").spectrogram(sound), drop, num_frames)

    def hear(self, mel: Tensor, drop: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """The same of mels (b, 1, f, n); a dropped sound is a zero spectrogram."""
        from asva_audio import segment_tokens

        encoder = self.part("audio_encoder")
        encoder.train(self.training and self.recipe.encoder_drop_path == "official")
        tokens = segment_tokens(encoder, mel * ~drop.view(-1, 1, 1, 1).to(mel.device))
        return tokens, self.mask(num_frames, mel.device)

    def mask(self, num_frames: int, device: torch.device) -> Tensor:
        """Which tokens each frame attends to, (t, n)."""
        from asva_audio import segment_mask

        grid = self.part("audio_encoder").grid
        return segment_mask(num_frames, grid, window=self.recipe.segment_window).to(device)

    def question(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> Question:
        latents = self.encode(batch["frames"], generator)
        text = self.text(batch["caption"], drop["text"])
        sound = ()
        if self.unet.config.audio:
            sound = self.audio(batch["audio" if "audio" in batch else "waveform"], drop["audio"])
        return self.ask(latents, text, *sound)

    def ask(self, latents: Tensor, text: Tensor, *sound: Tensor) -> Question:
        """The question about clean latents, given tokens."""

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.unet(torch.cat([latents[:, :1], noisy[:, 1:]], dim=1), step, text, *sound).sample

        return Question(latents, latents[:, :1].expand_as(latents), answer)


class AVSyncDTask(DenoisingTask):
    """Trains AVSyncD, or I2VD where the recipe's task says so."""

    loss = AVSyncDLoss

    @property
    def unet_name(self) -> str:
        return f"{self.recipe.task}_unet"

    @property
    def conditioners(self) -> tuple[str, ...]:
        return ("text_encoder", "audio_encoder") if self._switches()["audio"] else ("text_encoder",)

    def config(self, name: str) -> dict[str, Any]:
        """As in any task; the recipe's switches are those of the network."""
        return super().config(name) | (self._switches() if name == self.unet_name else {})

    def read(self, name: str, folder: Path) -> nn.Module:
        """A component out of its folder; Stable Diffusion's U-Net becomes one of ours."""
        if name != self.unet_name or not _is_unet2d(folder):
            return super().read(name, folder)
        from diffusers import UNet2DConditionModel

        from asva_unet import AVSyncDUNet

        return AVSyncDUNet.from_unet2d(
            UNet2DConditionModel.from_pretrained(folder, dtype=torch.float32),
            initialization=self.recipe.initialization,
            generator=generator_at(self.recipe.loop.seed, 6),
            **self._switches(),
            **self._audio_width(),
        )

    def take_stored(self, source: StoredClips) -> None:
        if self.recipe.task == "avsyncd" and self.recipe.encoder_drop_path == "official":
            raise RunError(
                "`encoder_drop_path` must be none with stored tokens, which an encoder made that skips nothing."
            )
        super().take_stored(source)

    def _audio_width(self) -> dict[str, int]:
        """Width of the audio encoder's tokens, for a network that has none yet."""
        if self.recipe.task == "i2vd":
            return {}
        config = self.find("audio_encoder") / "config.json"
        return {"audio_cross_attention_dim": json.loads(config.read_text(encoding="utf-8"))["hidden_size"]}

    def _switches(self) -> dict[str, bool]:
        return {
            "audio": self.recipe.task == "avsyncd",
            "first_frame_conv": self.recipe.first_frame_conv,
            "first_frame_attention": self.recipe.first_frame_attention,
        }


def _is_unet2d(folder: Path) -> bool:
    """Whether the folder holds Stable Diffusion's U-Net."""
    config = Path(folder) / "config.json"
    return config.is_file() and json.loads(config.read_text(encoding="utf-8"))["_class_name"] == "UNet2DConditionModel"
