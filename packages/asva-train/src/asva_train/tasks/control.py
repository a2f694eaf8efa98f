"""Training of a control on a video transformer whose base is frozen (open-domain, section 4; MTV, section 4.3)."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_audio import LogMelFrames
from asva_dit.backbones import Question, backbone_of
from asva_dit.controls import Features, make_control, read_control
from asva_dit.flow import loss, sample
from asva_dit.with_control import Hearing, control_arguments, control_of, with_control
from asva_keyframe import optical_flow
from asva_pipelines.hear.features import TRACKS, features_of
from asva_pipelines.hear.latents import decode_frames, encode_frames, encode_text
from asva_pipelines.hear.pipeline import LORA_FILE, HearPipeline, add_lora
from asva_pipelines.loading.folders import damage_named, quiet_libraries
from asva_pipelines.loading.placement import in_dtype
from asva_pipelines.mtv.parts import read_part
from asva_train.clips import clip_source
from asva_train.diffusion_task import base_folder
from asva_train.draws import generator_at, layer_draws
from asva_train.errors import RunError
from asva_train.mtv_clips import stems_of
from asva_train.run_order import collate, to_device
from asva_train.task_recipes import ControlRecipe
from asva_train.training_clip import TrainingClip
from asva_unet.losses import LearningParts
from asva_unet.pixels import to_frames, to_pixels


def control_view(clip: TrainingClip, generator: torch.Generator, recipe: ControlRecipe) -> dict:
    """``frames`` (t, h, w, 3), ``caption``, ``sounds`` (n, s), one or one a track, and ``flow`` (t, h, w) if asked."""
    del generator
    several = len(recipe.hears) > 1 and set(recipe.hears) <= set(TRACKS)
    sounds = stems_of(clip, "separate") if several else clip.waveform[None]
    shown = {"frames": clip.frames, "caption": clip.caption, "sounds": np.ascontiguousarray(sounds)}
    if recipe.motion_weight:
        speed = np.linalg.norm(optical_flow(clip.frames), axis=1)
        shown["flow"] = np.concatenate([speed[:1], speed])
    return shown


class ControlModule(LearningParts):
    """Clips as the transformer sees them, by the frozen parts of the base, and the loss of its answer."""

    def __init__(self, recipe: ControlRecipe, stock: Any, parts: dict[str, Any], ears: dict[str, Any]) -> None:
        super().__init__(parts | ears, ("control",))
        self.recipe, self.stock, self.ears = recipe, stock, list(ears)
        self.backbone = backbone_of(parts["transformer"])
        adapted = recipe.lora_rank > 0
        if adapted:
            with layer_draws(recipe.loop.seed, 7):
                add_lora(parts["transformer"], recipe.lora_rank, recipe.lora_targets)
        # The base's own weights are in no checkpoint, these are.
        self.lora = nn.ParameterList(p for p in parts["transformer"].parameters() if adapted and p.requires_grad)

    def features(self, sounds: Tensor, kept: Tensor | float = 1.0) -> dict[str, Features]:
        """What is heard of sounds (b, n, s); zeros where `kept` (b, 1, 1) is 0."""
        data, config = self.recipe.data, self.unet.config
        named: Any = dict(zip(TRACKS, sounds.unbind(1)[:3], strict=True)) if sounds.shape[1] > 1 else sounds[:, 0]
        ears = {name: self.part(name) for name in self.ears}
        heard = features_of(ears, config["sources"], named, data.num_frames / data.fps)
        return {name: Features(part.tokens.float() * kept, part.times) for name, part in heard.items()}

    def question(self, batch: dict, captions: list[str]) -> tuple[Question, Tensor]:
        """Clips as the transformer is asked about them, without noise, and their latents."""
        latents = encode_frames(self.part("vae"), to_pixels(batch["frames"]))
        text = encode_text(self.stock, captions, latents.device)
        time = torch.ones(len(latents), device=latents.device)
        return Question(noisy=latents, time=time, text=text, first=latents[:, :1], fps=self.recipe.data.fps), latents

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        recipe, size = self.recipe, len(batch["frames"])
        drop = {name: torch.rand(size, generator=generator) < recipe.dropout.get(name, 0) for name in ("text", "audio")}
        captions = ["" if gone else words for gone, words in zip(drop["text"], batch["caption"], strict=True)]
        asked, latents = self.question(batch, captions)
        share = 1 - torch.rand(size, generator=generator) ** recipe.noise_bias
        low, high = recipe.times
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        heard = self.features(batch["sounds"], (~drop["audio"]).view(-1, 1, 1).to(latents))
        transformer = self.part("transformer")
        control_of(transformer).listen(Hearing(features=heard, fps=recipe.data.fps))
        asked = replace(asked, time=(low + (high - low) * share).to(latents))
        return loss(transformer, asked, latents, noise, self.weight(batch, latents))

    def weight(self, batch: dict, latents: Tensor) -> Tensor | float:
        """(b, t, 1, h, w) of each cell, the larger the more moves in it against the rest of the clip (Syncphony)."""
        if "flow" not in batch:
            return 1.0
        flow, (_, t, _, h, w) = batch["flow"].float(), latents.shape
        padded = torch.cat([flow[:, :1].expand(-1, self.backbone.frames_per_latent - 1, -1, -1), flow], dim=1)
        cells = F.adaptive_avg_pool3d(padded[:, None], (t, h, w)).transpose(1, 2)
        return 1 + self.recipe.motion_weight * cells / cells.mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-6)


class ControlTask:
    """Trains a control, and with a rank LoRA on the attention beside it; the base stays as it is.

    Args:
        recipe: What to train, on which base.
        folder: The control comes into its folder ``control``, in the form of `asva sample --method hear`.
    """

    def __init__(self, recipe: ControlRecipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, Path(folder)
        self.source, self.view = clip_source(recipe.data), partial(control_view, recipe=recipe)
        stock = _read_base(recipe)
        transformer = getattr(stock, recipe.expert)
        backbone, frames = backbone_of(transformer), recipe.data.num_frames
        if backbone.whole_frames(frames) != frames:
            raise RunError(
                f"`data.num_frames` must be {backbone.frames_per_latent}k + 1 for {backbone.name}, got {frames}."
            )
        ears = {name: _ear(name, given) for name, given in recipe.ears.items()}
        with_control(transformer, self._control(transformer, ears))
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

    def _control(self, transformer: Any, ears: dict[str, Any]) -> Any:
        """The control that training begins with: one that adds nothing, or that of a folder."""
        recipe, data = self.recipe, self.recipe.data
        if recipe.init is not None:
            return read_control(recipe.init)
        silence = torch.zeros(1, 16000)
        heard = features_of(ears, dict.fromkeys(recipe.hears, 0), dict.fromkeys(recipe.hears, silence), 1.0)
        sources = {name: part.tokens.shape[-1] for name, part in heard.items()}
        wanted = {**control_arguments(transformer), "sources": sources, "fps": data.fps, "num_frames": data.num_frames}
        return make_control(recipe.control, wanted | recipe.arguments, generator_at(recipe.loop.seed, 6))

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above those made of pure noise in four steps, with the first frame and the sound."""
        module, device = self.module, next(self.module.parameters()).device
        batch = to_device(collate([self.view(self.source[10_000_000], generator_at(self.recipe.loop.seed, 4))]), device)
        asked, latents = module.question(batch, batch["caption"])
        noise = torch.randn(latents.shape, generator=generator_at(self.recipe.loop.seed, 5)).to(latents)
        transformer = module.part("transformer")
        control_of(transformer).listen(Hearing(features=module.features(batch["sounds"]), fps=self.recipe.data.fps))
        made = sample(transformer, replace(asked, noisy=noise), steps=4)
        shown = [batch["frames"][0], to_frames(decode_frames(module.part("vae"), made)[0])]
        return {"control": torch.cat([part.to(device) for part in shown], dim=1)}

    def export(self, folder: Path) -> None:
        """Write the control, its ears and its LoRA."""
        home = Path(folder) / "control"
        self.module.unet.save_pretrained(home)
        for name in self.module.ears:
            self.module.part(name).save_pretrained(home / "ears" / name)
        if len(self.module.lora):
            self.module.part("transformer").save_lora_adapter(home / "lora", weight_name=LORA_FILE)


def _read_base(recipe: ControlRecipe) -> Any:
    """Diffusers' pipeline of the base."""
    folder = base_folder(recipe.base)
    if folder is None:
        raise RunError("`base` must be given: the folder or hub id of an image-to-video pipeline of diffusers.")
    config = folder / recipe.expert / "config.json"
    if config.is_file() and "quantization_config" in json.loads(config.read_text(encoding="utf-8")):
        raise RunError(f"`base` must not be quantised, through which nothing learns, got {folder}.")
    with damage_named(folder), quiet_libraries():
        kept = in_dtype(getattr(torch, recipe.base_precision))
        stock = HearPipeline.from_pretrained(folder, **kept, local_files_only=True, use_safetensors=True).stock
    transformer = getattr(stock, recipe.expert, None)
    if transformer is None:
        raise RunError(f"`expert` must be a part of {folder}, got {recipe.expert}.")
    return stock


def _ear(name: str, given: Any) -> Any:
    """An audio encoder out of its folder, or a spectrogram by its arguments."""
    return read_part(name, Path(given)) if isinstance(given, str | Path) else LogMelFrames(**given)
