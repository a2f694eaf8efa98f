"""Training of a control on a video transformer whose base is frozen (open-domain, section 4; MTV, section 4.3)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asva_dit.backbones import Question, backbone_of
from asva_dit.controls import Features, make_control, read_control
from asva_dit.flow import loss, sample
from asva_dit.with_control import Hearing, control_arguments, control_of, with_control
from asva_pipelines.hear.latents import decode_frames, encode_frames, encode_text
from asva_pipelines.hear.pipeline import LORA_FILE, add_lora
from asva_train.clips import clip_source
from asva_train.control_clips import (
    WORDS,
    ControlPlan,
    control_view,
    moving_cells,
    read_base,
    read_ears,
    silence_heard,
    sounds_heard,
    stored_sounds,
)
from asva_train.draws import generator_at, layer_draws
from asva_train.errors import RunError
from asva_train.run_order import collate, to_device
from asva_train.stored_clips import StoredClips
from asva_train.task_recipes import ControlRecipe
from asva_unet.losses import LearningParts
from asva_unet.pixels import to_frames, to_pixels


class ControlModule(LearningParts):
    """Clips as the transformer sees them, by the frozen parts of the base, and the loss of its answer."""

    def __init__(self, recipe: ControlRecipe, stock: Any, parts: dict[str, Any], ears: dict[str, Any]) -> None:
        super().__init__(parts | ears, ("control",))
        self.recipe, self.stock, self.ears = recipe, stock, list(ears)
        self.nothing: dict[str, Tensor] = {}  # with stored clips: what stands for no words
        self.silence: dict[str, Features] = {}  # and when their sound's tokens are
        adapted = recipe.lora_rank > 0
        if adapted:
            with layer_draws(recipe.loop.seed, 7):
                add_lora(parts["transformer"], recipe.lora_rank, recipe.lora_targets)
        # The base's own weights are in no checkpoint, these are.
        self.lora = nn.ParameterList(p for p in parts["transformer"].parameters() if adapted and p.requires_grad)

    def hearing(self, batch: dict, kept: Tensor | float = 1.0) -> Hearing:
        """What is heard of a batch's sounds (b, n, s), or stored of it; zeros where `kept` (b, 1, 1) is 0."""
        if "latents" in batch:
            known = stored_sounds(batch)
            heard = {name: Features(known[name], part.times) for name, part in self.silence.items()}
        else:
            ears = {name: self.part(name) for name in self.ears}
            heard = sounds_heard(self.recipe, ears, self.unet.config["sources"], batch["sounds"])
        features = {name: Features(part.tokens.float() * kept, part.times) for name, part in heard.items()}
        return Hearing(features=features, fps=self.recipe.data.fps)

    def question(self, batch: dict, wordless: Tensor | None = None) -> tuple[Question, Tensor]:
        """Clips as the transformer is asked about them, without noise, and their latents.

        Args:
            batch: Of views.
            wordless: (b,) bool, whose words are left out.
        """
        if "latents" in batch:
            latents, text = batch["latents"].float(), batch["text"].float()
            if wordless is not None:
                text = torch.where(wordless.view(-1, 1, 1).to(text.device), self.nothing["text"].to(text), text)
        else:
            gone = [False] * len(batch["caption"]) if wordless is None else wordless.tolist()
            words = ["" if left_out else said for left_out, said in zip(gone, batch["caption"], strict=True)]
            latents = encode_frames(self.part("vae"), to_pixels(batch["frames"]))
            text = encode_text(self.stock, words, latents.device)
        time = torch.ones(len(latents), device=latents.device)
        return Question(noisy=latents, time=time, text=text, first=latents[:, :1], fps=self.recipe.data.fps), latents

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        recipe, size = self.recipe, len(batch["latents" if "latents" in batch else "frames"])
        drop = {name: torch.rand(size, generator=generator) < recipe.dropout.get(name, 0) for name in ("text", "audio")}
        asked, latents = self.question(batch, drop["text"])
        share = 1 - torch.rand(size, generator=generator) ** recipe.noise_bias
        low, high = recipe.times
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        transformer = self.part("transformer")
        control_of(transformer).listen(self.hearing(batch, (~drop["audio"]).view(-1, 1, 1).to(latents)))
        asked = replace(asked, time=(low + (high - low) * share).to(latents))
        return loss(transformer, asked, latents, noise, self.weight(batch, latents))

    def weight(self, batch: dict, latents: Tensor) -> Tensor | float:
        """(b, t, 1, h, w) of each cell, the larger the more moves in it against the rest of the clip (Syncphony)."""
        if not self.recipe.motion_weight:
            return 1.0
        cells = batch["cells"].float() if "cells" in batch else moving_cells(batch["flow"].float(), latents.shape)
        return 1 + self.recipe.motion_weight * cells


class ControlTask:
    """Trains a control, and with a rank LoRA on the attention beside it; the base stays as it is.

    Args:
        recipe: What to train, on which base.
        folder: The control comes into its folder ``control``, in the form of `asva sample --method hear`.
    """

    def __init__(self, recipe: ControlRecipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, Path(folder)
        self.source, self.view = clip_source(recipe.data), partial(control_view, recipe=recipe)
        stored = isinstance(self.source, StoredClips)
        stock = read_base(recipe, without=WORDS if stored else ())
        transformer = getattr(stock, recipe.expert, None)
        if transformer is None:
            raise RunError(f"`expert` must be a part of {recipe.base}, got {recipe.expert}.")
        backbone, frames = backbone_of(transformer), recipe.data.num_frames
        if backbone.whole_frames(frames) != frames:
            raise RunError(
                f"`data.num_frames` must be {backbone.frames_per_latent}k + 1 for {backbone.name}, got {frames}."
            )
        ears = read_ears(recipe)
        silence = silence_heard(recipe, ears)
        with_control(transformer, self._control(transformer, silence))
        if recipe.base_storage == "float8":
            if recipe.lora_rank:
                raise RunError(f"`base_storage` must be own with LoRA, got {recipe.base_storage}.")
            transformer.enable_layerwise_casting(torch.float8_e4m3fn, getattr(torch, recipe.base_precision))
        if recipe.loop.gradient_checkpointing:
            transformer.enable_gradient_checkpointing()
        networks = {name: part for name, part in stock.components.items() if isinstance(part, nn.Module)}
        others = {name: part for name, part in networks.items() if not name.startswith("transformer")}
        parts = {"control": control_of(transformer).control, "transformer": transformer} | others
        self.module: Any = ControlModule(recipe, stock, parts, ears)
        if stored:
            self.take_stored(self.source, silence)

    def take_stored(self, source: StoredClips, silence: dict[str, Features]) -> None:
        """See that stored latents and tokens are those of this base and of these ears.

        Raises:
            ValueError: If they are not.
        """
        source.check_tokens(ControlPlan(recipe=self.recipe).tokens)
        for name, found in ControlPlan(recipe=self.recipe).hashes().items():
            source.check_made_with(name, found, self.recipe.base)
        known = stored_sounds(source[0].tokens)
        if lacking := sorted(set(silence) - set(known)):
            raise RunError(f"`hears` must be among {', '.join(known)}, as in {source.root}, got {', '.join(lacking)}.")
        self.module.nothing, self.module.silence = source.nothing, silence

    def _control(self, transformer: Any, silence: dict[str, Features]) -> Any:
        """The control that training begins with: one that adds nothing, or that of a folder."""
        recipe, data = self.recipe, self.recipe.data
        if recipe.init is not None:
            return read_control(recipe.init)
        sources = {name: part.tokens.shape[-1] for name, part in silence.items()}
        wanted = {**control_arguments(transformer), "sources": sources, "fps": data.fps, "num_frames": data.num_frames}
        return make_control(recipe.control, wanted | recipe.arguments, generator_at(recipe.loop.seed, 6))

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above those made of pure noise in four steps, with the first frame and the sound."""
        module, device = self.module, next(self.module.parameters()).device
        batch = to_device(collate([self.view(self.source[10_000_000], generator_at(self.recipe.loop.seed, 4))]), device)
        asked, latents = module.question(batch)
        noise = torch.randn(latents.shape, generator=generator_at(self.recipe.loop.seed, 5)).to(latents)
        transformer = module.part("transformer")
        control_of(transformer).listen(module.hearing(batch))
        made = sample(transformer, replace(asked, noisy=noise), steps=4)
        decoded = [to_frames(decode_frames(module.part("vae"), one)[0]) for one in (latents, made)]
        shown = [batch["frames"][0] if "frames" in batch else decoded[0], decoded[1]]
        return {"control": torch.cat([part[: self.recipe.data.num_frames].to(device) for part in shown], dim=1)}

    def export(self, folder: Path) -> None:
        """Write the control, its ears and its LoRA."""
        home = Path(folder) / "control"
        self.module.unet.save_pretrained(home)
        for name in self.module.ears:
            self.module.part(name).save_pretrained(home / "ears" / name)
        if len(self.module.lora):
            self.module.part("transformer").save_lora_adapter(home / "lora", weight_name=LORA_FILE)
