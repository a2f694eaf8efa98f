"""Losses of KeyVID's two stages: keyframes from sound, every frame from keyframes (KeyVID, sections 3.2 and 3.3)."""

from functools import partial

import torch
from torch import Tensor, nn

from asva_pipelines.keyvid.tokens import audio_tokens
from asva_train.diffusion_task import DenoisingTask
from asva_train.views import clip_view
from asva_unet.losses import DenoisingLoss, Question


class KeyVIDLoss(DenoisingLoss):
    """Noising and error of one stage."""

    def audio(self, mel: Tensor, drop: Tensor, indices: Tensor) -> Tensor:
        """Audio tokens (b, k, l, d) of the frames at ``indices`` (b, k); a dropped sound is a zero spectrogram.

        Of spectrograms (b, 1, f, n), or of the trunk's tokens (b, n, d) where they are stored.
        """
        from asva_audio import frame_audio_tokens

        encoder, recipe = self.part("audio_encoder"), self.recipe
        stored = mel.ndim == 3
        kept = None if stored else mel * ~drop.view(-1, 1, 1, 1).to(mel.device)
        return frame_audio_tokens(
            self.stored("audio", mel, drop) if stored else audio_tokens(encoder, kept),
            indices,
            grid=encoder.grid,
            num_frames=recipe.data.num_frames,
            alignment=recipe.alignment,
            stage="keyframe",
        )

    def condition(self, latents: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
        """Condition channels: the first frame everywhere, or the known frames (b, t) among what ``fill`` says."""
        from asva_interp import masked_condition

        if self.recipe.task == "keyframe":
            return latents[:, :1].expand_as(latents)
        spread = torch.rand((len(latents), 1, 1, 1, 1), generator=generator) * self.recipe.keyframe_noise
        given = latents + (torch.randn(latents.shape, generator=generator) * spread).to(latents)
        options = {"fill": self.recipe.fill, "mask_channel": self.recipe.mask_channel}
        conditions = []
        for clip, mask in zip(given, known, strict=True):
            indices = mask.nonzero().T
            conditions.append(masked_condition(clip[None, indices[0]], indices, len(clip), **options))
        return torch.cat(conditions)

    @torch.no_grad()
    def keyframes(
        self, latents: Tensor, batch: dict, tokens: tuple, drop: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Latents (b, t, c, h, w) in which the keyframes of some clips are the generator's and not the true ones."""
        if self.recipe.generated_keyframes == 0:
            return latents
        made, unet = latents.clone(), self.part("keyframe_unet")
        chosen = torch.rand(len(latents), generator=generator) < self.recipe.generated_keyframes
        for clip in chosen.nonzero().flatten().tolist():
            one = slice(clip, clip + 1)
            indices = batch["known"][one].nonzero()[None, :, 1]
            image = tokens[1][one] if tokens[1].shape[1] == 1 else tokens[1][one, indices[0]]
            sound = self.audio(batch["mel"][one], drop[one], indices)
            first = latents[one, :1].expand(-1, indices.shape[1], -1, -1, -1)
            noise = torch.randn(first.shape, generator=generator).to(first)
            last = torch.full((1,), len(self.alphas_cumprod) - 1, device=first.device)
            fps = torch.full((1,), self.recipe.keyframe_fps, device=first.device)
            answer = unet(torch.cat([noise, first], dim=2), last, tokens[0][one], image, sound, fps, indices).sample
            made[clip, indices[0]] = self.clean(answer.float(), noise, first, float(self.alphas_cumprod[-1]), unet)
        return made

    def question(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> Question:
        latents, indices = self.encode(batch["frames"], generator), batch["frame_indices"]
        tokens = (
            self.text(batch["caption"], drop["text"]),
            self.image(batch["picture"] if "picture" in batch else batch["frames"][:, 0], drop["image"], indices),
            self.audio(batch["mel"], drop["audio"], indices),
        )
        given = self.keyframes(latents, batch, tokens, drop["audio"], generator)
        condition = self.condition(given, batch["known"], generator)

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.unet(torch.cat([noisy, condition], dim=2), step, *tokens, batch["fps"], indices).sample

        return Question(latents, condition[:, :, : latents.shape[2]], answer)


class KeyVIDTask(DenoisingTask):
    """Trains one of the two stages."""

    loss = KeyVIDLoss
    conditioners = ("text_encoder", "image_encoder", "image_projector", "audio_encoder")

    def __init__(self, recipe, folder):
        super().__init__(recipe, folder)
        self.view = partial(clip_view, recipe=recipe)

    def parts(self) -> dict[str, nn.Module]:
        generator = {"keyframe_unet": self.part("keyframe_unet")} if self.recipe.generated_keyframes else {}
        return super().parts() | generator

    @property
    def unet_name(self) -> str:
        return f"{self.recipe.task}_unet"
