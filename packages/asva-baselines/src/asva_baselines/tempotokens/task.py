"""Training of TempoTokens' mapper (TempoTokens, section 3.3)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from asva_baselines.tempotokens.loss import TempoTokensLoss
from asva_baselines.tempotokens.mapper import TempoTokensMapper
from asva_baselines.tempotokens.network import word_ids
from asva_baselines.tempotokens.recipe import TempoTokensRecipe
from asva_pipelines import load_pipeline
from asva_train import RunError
from asva_train.clips import clip_source
from asva_train.diffusion_task import base_folder
from asva_train.draws import generator_at
from asva_train.training_clip import SAMPLE_RATE
from asva_train.views import whole_clip


class TempoTokensTask:
    """Trains the mapper of a model, and writes that model with it."""

    view = staticmethod(whole_clip)

    def __init__(self, recipe: TempoTokensRecipe, folder: Path) -> None:
        del folder  # everything is in the base
        if recipe.loop.gradient_checkpointing:
            raise RunError("`loop.gradient_checkpointing` must be false: diffusers' text-to-video network has none.")
        self.recipe, self.source = recipe, clip_source(recipe.data)
        self.pipeline = load_pipeline(
            base_folder(recipe.base) or "", method="tempotokens", device="cpu", dtype="float32"
        )
        self.pipeline.mapper = self._mapper(self.pipeline.mapper)
        parts = {
            name: getattr(self.pipeline, name) for name in ("mapper", "text_encoder", "unet", "vae", "audio_encoder")
        }
        self.module = TempoTokensLoss(
            parts,
            self.pipeline.scheduler,
            word_ids(self.pipeline.tokenizer, self.pipeline.text_encoder)[0],
            word_weight=recipe.word_weight,
            dropout=recipe.reference_dropout,
        )

    def _mapper(self, given: TempoTokensMapper) -> TempoTokensMapper:
        count = self.recipe.data.num_frames
        if given.config["num_frames"] != count:
            raise RunError(f"`data.num_frames` must be {given.config['num_frames']}, as the mapper's, got {count}.")
        if self.recipe.start == "base":
            return given.train()
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.loop.seed)
            return TempoTokensMapper.from_config(given.config).train()

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """What the model makes of the sound of a clip in a few steps."""
        recipe = self.recipe.data
        made = self.pipeline(
            audio=self.source[10_000_000].waveform,
            sample_rate=SAMPLE_RATE,
            height=recipe.height,
            width=recipe.width,
            num_inference_steps=5,
            generator=generator_at(self.recipe.loop.seed, 5),
        )
        return {"tempotokens": torch.from_numpy(made.frames)}

    def export(self, folder: Path) -> None:
        """Write the whole model, so that it can be sampled from."""
        self.pipeline.save_pretrained(folder)
