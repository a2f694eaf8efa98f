"""AVSyncD and its baseline I2VD: a clip is denoised around its clean first frame (AVSyncD, section 4)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from asva_unet.losses.denoising import DenoisingLoss, Question


class AVSyncDLoss(DenoisingLoss):
    """Noising of all frames at one time step, the first frame put back clean, error of the others.

    Args:
        common: Those of :class:`DenoisingLoss`.
        heard: (t, n) bool, which audio tokens each frame attends to, such as ``asva_audio.segment_mask``; not needed
            by a network without sound.
        silence: (1, ...) spectrogram that stands for a dropped sound; zeros if None.
        drop_path: Whether the frozen audio encoder stays in training mode, as the original leaves it by oversight: its
            blocks are skipped at random.
    """

    given_frames = 1

    def __init__(
        self, *common: Any, heard: Tensor | None = None, silence: Tensor | None = None, drop_path: bool = False
    ):
        super().__init__(*common)
        self.silence = torch.zeros(()) if silence is None else silence
        self.heard, self.drop_path = heard, drop_path

    def audio(self, sound: Tensor, drop: Tensor) -> tuple[Tensor, Tensor]:
        """Audio tokens (b, n, d) of sounds (b, s), or where they are stored, and what each frame attends to (t, n)."""
        if sound.ndim == 3:
            return self.stored("audio", sound, drop), self.heard.to(sound.device)
        return self.hear(self.part("audio_encoder").spectrogram(sound), drop)

    def hear(self, mel: Tensor, drop: Tensor) -> tuple[Tensor, Tensor]:
        """The same of spectrograms (b, ...)."""
        encoder = self.part("audio_encoder")
        encoder.train(self.training and self.drop_path)
        dropped = drop.view(-1, *[1] * (mel.ndim - 1)).to(mel.device)
        tokens = encoder(torch.where(dropped, self.silence.to(mel), mel)).last_hidden_state
        heard = self.heard.to(mel.device)
        if tokens.shape[1] < heard.shape[1]:  # ears without a class token
            tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
        return F.layer_norm(tokens, tokens.shape[-1:], eps=1e-6), heard

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
