"""MTV: three tracks steer a video transformer that denoises beside frames that are given (MTV, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_audio.mtv_features import hear_tracks
from asva_dit.masks import draw_masks
from asva_dit.pixels import decode_video, encode_video
from asva_dit.prompt import prompt_embeds
from asva_pipelines.mtv.parts import read_part
from asva_train.clips import clip_source
from asva_train.components import caption_tokenizer, start_from
from asva_train.diffusion_task import DenoisingTask, base_folder
from asva_train.draws import generator_at
from asva_train.loop import RunError
from asva_train.mtv_clips import TRACKS, mtv_view
from asva_train.mtv_parts import build_part, second_speaker
from asva_train.run_order import collate
from asva_train.task_recipes import MTVRecipe
from asva_unet.losses import CONDITIONS, DenoisingLoss, Question, dropped
from asva_unet.pixels import to_frames, to_pixels

_FITTED = 96  # clips that the patches of the small model are fitted on


@dataclass(frozen=True)
class MTVQuestion(Question):
    """Clips as the network is asked about them.

    Attributes:
        given: (b, t) bool, latent frames that are clean.
        moving: (b, t, 1, h, w) bool, latent cells in which something moves.
    """

    given: Tensor
    moving: Tensor


class MTVLoss(DenoisingLoss):
    """Noising of latent frames beside those that are given, and the error of the answer."""

    @torch.no_grad()
    def encode(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Latents (b, t, c, h, w) of frames (b, 4t - 3, h, w, 3)."""
        del generator  # the mean of the posterior: which latents a clip has does not depend on the step
        return encode_video(self.part("vae"), to_pixels(frames)).float()

    def text(self, captions: list[str], drop: Tensor) -> Tensor:
        """Text tokens (b, n, d); a dropped caption is zeros."""
        embeds = prompt_embeds(
            self.tokenizer, self.part("text_encoder"), captions, self.unet.config.max_text_seq_length
        )
        return embeds * ~drop.view(-1, 1, 1).to(embeds.device)

    @torch.no_grad()
    def audio(self, stems: Tensor, drop: Tensor, num_frames: int) -> dict[str, Tensor]:
        """Features of each track of (b, 3, s) stems; where the sound is dropped, zeros in all tracks."""
        tracks = dict(zip(TRACKS, stems.unbind(1), strict=True))
        config, fps = self.unet.config, self.recipe.data.fps
        ear = self.part("audio_encoder")
        heard = hear_tracks(ear, tracks, num_frames, num_frames, fps=fps, window=config.audio_window)
        keep = ~drop.view(-1, 1, 1, 1, 1).to(stems.device)
        heard = {name: features * keep for name, features in heard.items()}
        if config.num_speakers > 1:
            speech = heard["speech_embeds"]
            heard["speech_embeds"] = torch.stack([speech, torch.zeros_like(speech)], dim=1)
        return heard

    def question(
        self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator, given: Tensor | None = None
    ) -> MTVQuestion:
        from asva_dit import rotary_embedding

        recipe, frames = self.recipe, batch["frames"]
        latents = self.encode(frames, generator)
        b, t, _, height, width = latents.shape
        if given is None:
            given = draw_masks(recipe.frame_masks, b, t, generator)
        given = given.to(latents.device)
        reference = torch.zeros_like(latents)
        if recipe.prediction_type == "residual":
            still = self.encode(frames[:, :1].expand_as(frames), generator)
            reference = still * given[:, :1, None, None, None]
        text = self.text(batch["caption"], drop["text"])
        heard = self.audio(batch["stems"], drop["audio"], frames.shape[1])
        rotary = rotary_embedding(self.unet, t, height, width, device=latents.device)

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.unet(noisy, text, step, image_rotary_emb=rotary, clean_frame_mask=given, **heard).sample

        return MTVQuestion(latents, reference, answer, given, _moving_cells(batch["moving"], latents.shape))

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        recipe, size = self.recipe, len(batch["frames"])
        question = self.question(batch, dropped(recipe, size, generator), generator)
        share = 1 - torch.rand(size, generator=generator, dtype=torch.float64) ** recipe.noise_bias
        step = (share * len(self.alphas_cumprod)).long().clamp(max=len(self.alphas_cumprod) - 1)
        return self.losses(question, step, torch.randn(question.latents.shape, generator=generator))

    def losses(self, question: MTVQuestion, step: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Errors of the answer at time steps (b,) with unit noise (b, t, c, h, w)."""
        latents, given = question.latents, question.given[:, :, None, None, None]
        noise, level = noise.to(latents), self.alphas_cumprod[step.cpu()].view(-1, 1, 1, 1, 1).to(latents)
        noisy = torch.where(given, latents, level.sqrt() * latents + (1 - level).sqrt() * noise)
        answer = question.answer(noisy, step.to(latents.device)).float()
        target, weight = self.target(latents, noise, question.reference, level)
        error = (answer - target).square()
        counts = torch.ones_like(error) if self.recipe.given_loss else (~given).expand_as(error).float()
        moving = question.moving.to(error.device) * counts
        total = counts.sum().clamp(min=1)
        return {
            "loss": (error * weight * counts * (1 + self.recipe.motion_weight * moving)).sum() / total,
            "error": (error * counts).sum() / total,
            "moving_error": (error * moving).sum() / moving.sum().clamp(min=1),
        }

    def target(self, clean: Tensor, noise: Tensor, reference: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """What the network should answer, and the weight of its error (published: plain v)."""
        if self.recipe.prediction_type == "v_prediction":
            return level.sqrt() * noise - (1 - level).sqrt() * clean, torch.ones_like(level)
        return clean - reference, (1 / (1 - level).clamp(min=1e-6)).clamp(max=self.recipe.low_noise_weight)

    def first_guess(self, batch: dict, generator: torch.Generator) -> Tensor:
        """Clean latents that the network sees in pure noise beside the first frame, (b, t, c, h, w)."""
        size, device = len(batch["frames"]), batch["frames"].device
        none = dict.fromkeys(CONDITIONS, torch.zeros(size, dtype=torch.bool))
        given = draw_masks({"first": 1.0}, size, _slots(batch["frames"].shape[1]), generator)
        question = self.question(batch, none, generator, given)
        noise = torch.randn(question.latents.shape, generator=generator).to(device)
        mask = question.given[:, :, None, None, None]
        last = torch.full((size,), len(self.alphas_cumprod) - 1, device=device)
        answer = question.answer(torch.where(mask, question.latents, noise), last).float()
        guess = answer + question.reference if self.recipe.prediction_type == "residual" else -answer
        return torch.where(mask, question.latents, guess)


def _slots(num_frames: int) -> int:
    return (num_frames - 1) // 4 + 1


def _moving_cells(moving: Tensor, shape: torch.Size) -> Tensor:
    """(b, 4t - 3, H, W) pixels -> (b, t, 1, h, w) latent cells that hold one."""
    padded = torch.cat([moving[:, :1].expand(-1, 3, -1, -1), moving], dim=1).float()
    _, t, _, h, w = shape
    return F.adaptive_max_pool3d(padded[:, None], (t, h, w)).transpose(1, 2) > 0


class MTVTask(DenoisingTask):
    """Trains the control of MTV, and of its base what the recipe lets learn."""

    loss = MTVLoss
    unet_name = "mtv_transformer"
    conditioners = ("text_encoder", "audio_encoder")

    def __init__(self, recipe: MTVRecipe, folder: Path) -> None:
        from asva_dit import latent_frames, make_scheduler

        latent_frames(recipe.data.num_frames)  # raises where it is not 4k + 1
        draw_masks(recipe.frame_masks, 1, 13, generator_at(0))
        self.recipe, self.folder, self.base = recipe, Path(folder), base_folder(recipe.base)
        self.source = clip_source(recipe.data)
        self.view = partial(mtv_view, tracks=recipe.tracks)
        self.tokenizer = self._tokenizer()
        parts = self.parts()
        self._choose(parts[self.unet_name])
        schedule = make_scheduler(snr_shift_scale=recipe.snr_shift_scale)
        self.module = MTVLoss(recipe, parts, self.tokenizer, schedule, self.learning())

    def _choose(self, network: nn.Module) -> None:
        """Let learn what the recipe says."""
        from asva_dit import freeze_all_but_control

        if self.recipe.loop.gradient_checkpointing:
            network.enable_gradient_checkpointing()
        if self.recipe.learns != "everything":
            freeze_all_but_control(network, backbone_attention=self.recipe.learns == "attention")

    def part(self, name: str) -> nn.Module:
        """A component as this training begins with it; small parts that do not learn are made once and stored."""
        recipe, seed = self.recipe, self.recipe.loop.seed
        if name in self.learning():
            if name not in recipe.models:
                return self.read(name, self.find(name))
            part = build_part(name, recipe.models[name], seed)
            if name in recipe.init:
                start_from(part, self.read(name, recipe.init[name]))
            return part
        if name in recipe.models and not (self.folder / name / "config.json").is_file():
            part = build_part(name, recipe.models[name], seed)
            if hasattr(part, "fit"):
                part.fit(self._pixels(_FITTED))
            part.save_pretrained(self.folder / name)
        return self.read(name, self.find(name))

    def _tokenizer(self) -> Any:
        """That of the folder or the base, of any kind; or a small one, learned from captions."""
        from transformers import AutoTokenizer

        for folder in (self.folder, self.base):
            if folder is not None and (folder / "tokenizer").is_dir():
                return AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        config = self.recipe.models.get("text_encoder")
        if config is None:
            raise RunError(f"`tokenizer` must be in {self.folder}, found nothing there. Convert a model first.")
        at = getattr(self.source, "caption_at", lambda index: self.source[index].caption)
        captions = [at(index) for index in range(500)]
        tokenizer = caption_tokenizer(captions, config["vocab_size"], config["max_position_embeddings"])
        tokenizer.save_pretrained(self.folder / "tokenizer")
        return tokenizer

    def read(self, name: str, folder: Path) -> nn.Module:
        """A component out of its folder; a transformer of CogVideoX is given a control."""
        part = read_part(name, Path(folder))
        if name != self.unet_name:
            return part
        generator = generator_at(self.recipe.loop.seed, 6)
        if not hasattr(part, "encode_audio"):
            from asva_dit import MTVTransformer3DModel

            return MTVTransformer3DModel.from_transformer(part, generator=generator, **self.recipe.control)
        wanted = self.recipe.control.get("num_speakers", part.config.num_speakers)
        if wanted < part.config.num_speakers:
            raise RunError(
                f"`control.num_speakers` must be {part.config.num_speakers}, that of {folder}, got {wanted}."
            )
        return second_speaker(part) if wanted > part.config.num_speakers else part

    def _pixels(self, num: int) -> Tensor:
        """(num, 3, t, h, w) of clips that no training sees."""
        clips = [{"frames": self.source[20_000_000 + index].frames} for index in range(num)]
        return to_pixels(collate(clips)["frames"]).movedim(1, 2)

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above the network's answer from pure noise in one step, with the first frame given."""
        module, device = self.module, next(self.module.parameters()).device
        batch = collate([self.view(self.source[10_000_000], generator_at(self.recipe.loop.seed, 4))])
        batch = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
        module.eval()
        answer = module.first_guess(batch, generator_at(self.recipe.loop.seed, 5))
        module.train()
        pixels = decode_video(module.part("vae"), answer)[0]
        return {"mtv": torch.cat([batch["frames"][0], to_frames(pixels)], dim=1)}

    def export(self, folder: Path) -> None:
        """Write the components that learned, and of the network the control alone too where the base was frozen."""
        for name, part in self.module.learning.items():
            part.save_pretrained(folder / name)
        if self.recipe.learns != "everything":
            network = self.module.unet
            trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
            network.save_control(
                folder / "control.safetensors", trained=tuple(n for n in trained if not _is_control(n))
            )


def _is_control(name: str) -> bool:
    return name.startswith("control.") or ".control." in name
