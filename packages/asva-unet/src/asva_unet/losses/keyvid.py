"""KeyVID's two stages: keyframes from sound, every frame from keyframes (KeyVID, sections 3.2 and 3.3)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from asva_unet.losses.denoising import DenoisingLoss, Question
from asva_unet.losses.settings import KeyVIDSettings


class KeyVIDLoss(DenoisingLoss):
    """Noising and error of one stage.

    Args:
        common: Those of :class:`DenoisingLoss`; the settings are :class:`KeyVIDSettings`.
        frame_tokens: ``frame_tokens(tokens, indices)`` are the audio tokens (b, k, l, d) of the frames at ``indices``
            (b, k) out of the trunk's (b, n, d), such as ``asva_audio.frame_audio_tokens`` with its options filled in.
        lay_out: ``lay_out(keyframes, indices, num_frames)`` are the condition channels of the interpolator, such as
            ``asva_interp.masked_condition``; the keyframe generator needs none.
    """

    recipe: KeyVIDSettings

    def __init__(
        self,
        *common: Any,
        frame_tokens: Callable[[Tensor, Tensor], Tensor],
        lay_out: Callable[[Tensor, Tensor, int], Tensor] | None = None,
    ):
        super().__init__(*common)
        self.frame_tokens, self.lay_out = frame_tokens, lay_out

    def audio(self, mel: Tensor, drop: Tensor, indices: Tensor) -> Tensor:
        """Audio tokens (b, k, l, d) of the frames at ``indices`` (b, k); a dropped sound is a zero spectrogram.

        Of spectrograms (b, 1, f, n), or of the trunk's tokens (b, n, d) where they are stored.
        """
        if mel.ndim == 3:
            return self.frame_tokens(self.stored("audio", mel, drop), indices)
        heard = self.part("audio_encoder")(mel * ~drop.view(-1, 1, 1, 1).to(mel.device))
        return self.frame_tokens(heard.last_hidden_state, indices)

    def condition(self, latents: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
        """Condition channels: the first frame everywhere, or the known frames (b, t) as ``lay_out`` has them."""
        if self.recipe.task == "keyframe":
            return latents[:, :1].expand_as(latents)
        spread = torch.rand((len(latents), 1, 1, 1, 1), generator=generator) * self.recipe.keyframe_noise
        given = latents + (torch.randn(latents.shape, generator=generator) * spread).to(latents)
        conditions = []
        for clip, mask in zip(given, known, strict=True):
            indices = mask.nonzero().T
            conditions.append(self.lay_out(clip[None, indices[0]], indices, len(clip)))
        return torch.cat(conditions)

    @torch.no_grad()
    def keyframes(
        self, latents: Tensor, batch: dict, text: Tensor, drop: dict[str, Tensor], generator: torch.Generator
    ) -> Tensor:
        """Latents (b, t, c, h, w) in which the keyframes of some clips are the generator's and not the true ones."""
        if self.recipe.generated_keyframes == 0:
            return latents
        made, unet = latents.clone(), self.part("keyframe_unet")
        chosen = torch.rand(len(latents), generator=generator) < self.recipe.generated_keyframes
        for clip in chosen.nonzero().flatten().tolist():
            one = slice(clip, clip + 1)
            indices = batch["known"][one].nonzero()[None, :, 1]
            image = self.image(self.picture(batch)[one], drop["image"][one], indices, "keyframe_image_projector")
            sound = self.audio(batch["mel"][one], drop["audio"][one], indices)
            first = latents[one, :1].expand(-1, indices.shape[1], -1, -1, -1)
            noise = torch.randn(first.shape, generator=generator).to(first)
            last = torch.full((1,), len(self.alphas_cumprod) - 1, device=first.device)
            fps = torch.full((1,), self.recipe.keyframe_fps, device=first.device)
            answer = unet(torch.cat([noise, first], dim=2), last, text[one], image, sound, fps, indices).sample
            made[clip, indices[0]] = self.clean(answer.float(), noise, first, float(self.alphas_cumprod[-1]), unet)
        return made

    def question(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> Question:
        latents, indices = self.encode(batch["frames"], generator), batch["frame_indices"]
        tokens = (
            self.text(batch["caption"], drop["text"]),
            self.image(self.picture(batch), drop["image"], indices),
            self.audio(batch["mel"], drop["audio"], indices),
        )
        given = self.keyframes(latents, batch, tokens[0], drop, generator)
        condition = self.condition(given, batch["known"], generator)

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.unet(torch.cat([noisy, condition], dim=2), step, *tokens, batch["fps"], indices).sample

        return Question(latents, condition[:, :, : latents.shape[2]], answer)
