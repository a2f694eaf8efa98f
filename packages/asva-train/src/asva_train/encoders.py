"""The frozen networks whose answers are stored: where they lie, what tells them apart, and one clip through them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_audio.mtv_features import track_features
from asva_dit.pixels import encode_video
from asva_dit.prompt import prompt_embeds
from asva_pipelines.mtv.parts import read_part
from asva_train.components import find_component, read_component, read_tokenizer
from asva_train.control_clips import ControlPlan
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.fingerprints import component_hash, tokenizer_hash
from asva_train.mtv_clips import named_tracks, stems_of
from asva_train.task_recipes import ControlRecipe
from asva_train.token_sets import TokenSet, check_taps, clip_seconds, tokens_of_model, tokens_of_recipe
from asva_train.training_clip import SAMPLE_RATE, TrainingClip
from asva_unet.pixels import to_pixels
from asva_unet.tokens import image_tokens, text_tokens

FRAMES_AT_ONCE = 8  # through the autoencoder


@dataclass(frozen=True, kw_only=True)
class EncoderPlan:
    """Which encoders run.

    Attributes:
        tokens: What is stored beside the latents.
        folders: Where they lie, by component.
        tokenizer: Where that of the text encoder lies; none without one.
        text_length: Tokens of the words that MTV's transformer takes; the tokenizer's where it is 0.
        text_precision: In which the text encoder runs.
    """

    tokens: TokenSet
    folders: dict[str, Path]
    tokenizer: Path | None
    text_length: int = 0
    text_precision: str = "float32"

    def encoders(self, device: str | torch.device = "cpu") -> Encoders:
        """The networks, read."""
        return (MTVEncoders if self.tokens.method == "mtv" else Encoders)(self, device)

    def hashes(self) -> dict[str, str]:
        """Hashes of all that the stored tokens depend on, by component."""
        hashes = {name: component_hash(folder) for name, folder in self.folders.items()}
        return hashes | ({} if self.tokenizer is None else {"tokenizer": tokenizer_hash(self.read_tokenizer())})

    def read_tokenizer(self) -> Any:
        """The tokenizer, or None."""
        return None if self.tokenizer is None else read_tokenizer([self.tokenizer.parent])


def plan_encoders(model: Path, recipe: Any = None) -> EncoderPlan | ControlPlan:
    """The encoders of a training, those that its recipe names by ``init`` and else the model's.

    Args:
        model: Folder of a model.
        recipe: The training; without one, what a training of the model's own method wants.

    Raises:
        RunError: If that training needs the videos themselves, or autoencoder, audio encoder or tokenizer are missing.
        ModelError: If there is no recipe and the model is of no method.
    """
    model = model.resolve()  # workers may be at home elsewhere
    if isinstance(recipe, ControlRecipe):
        return ControlPlan(recipe=replace(recipe, base=str(model)))
    tokens = tokens_of_model(model) if recipe is None else tokens_of_recipe(recipe)
    if tokens is None:
        raise RunError(f"`recipe` must be of a training that takes tokens, got {recipe.task}, which needs the videos.")
    own = {} if recipe is None else {name: folder.resolve() for name, folder in recipe.init.items()}
    folders = {name: own.get(name) or find_component(name, [model]) for name in ("vae", *tokens.ears)}
    for name in tokens.towers:  # a model that is still to be trained may have none
        if name in own or (model / name / "config.json").is_file():
            folders[name] = own.get(name) or model / name
    tokenizer = model / "tokenizer" if "text_encoder" in folders else None
    if tokenizer is not None and not tokenizer.is_dir():
        raise RunError(f"`model` must hold a tokenizer beside its text encoder, got none in {model}.")
    length = _text_length(model, recipe) if tokens.method == "mtv" else 0
    precision = getattr(recipe, "text_precision", "float32")
    return EncoderPlan(
        tokens=tokens, folders=folders, tokenizer=tokenizer, text_length=length, text_precision=precision
    )


def _text_length(model: Path, recipe: Any) -> int:
    """Tokens of the words that MTV's transformer takes."""
    name, key = "mtv_transformer", "max_text_seq_length"
    given = {} if recipe is None else recipe.models.get(name, {})
    if key in given:
        return given[key]
    folder = (recipe.init if recipe else {}).get(name) or find_component(name, [model])
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))[key]


class Encoders:
    """Mean and deviation of a clip's latents, from which they are drawn, and its tokens.

    Args:
        plan: Which networks, and what is stored of a sound.
        device: Where they run.

    Raises:
        RunError: If a part is missing, or an audio encoder has not the blocks that are wanted.
    """

    def __init__(self, plan: EncoderPlan, device: str | torch.device = "cpu"):
        self.device, self.tokens = torch.device(device), plan.tokens
        self.plan, read = plan, read_part if plan.tokens.method == "mtv" else read_component
        self.parts = {
            name: read(name, folder, getattr(torch, plan.text_precision) if name == "text_encoder" else torch.float32)
            for name, folder in plan.folders.items()
        }
        for part in self.parts.values():
            part.eval().requires_grad_(False).to(self.device)
        check_taps(plan.tokens.taps, self.parts)
        self.tokenizer = plan.read_tokenizer()

    @torch.no_grad()
    def __call__(self, clip: TrainingClip) -> dict[str, Tensor]:
        """What is stored of a clip.

        Returns:
            ``frames`` (t, 2, c, h, w), ``text``, ``image`` and those of the sound (n, d) float16, ``motion`` (t,)
            float32.
        """
        pixels = to_pixels(torch.as_tensor(clip.frames[:1]))
        waveform = torch.as_tensor(clip.waveform)[None]
        heard = {ear: self.parts[ear].spectrogram(waveform) for ear in self.tokens.ears}
        latents = {"frames": self._latents(torch.as_tensor(clip.frames))}
        halves = _halves(latents | self._tokens(clip.caption, pixels, heard))
        return halves | {"motion": torch.as_tensor(clip.motion_curve)}

    @torch.no_grad()
    def nothing(self, data: DataRecipe) -> dict[str, Tensor]:
        """Tokens of no words, of a grey picture and of no sound, as long as the clips."""
        seconds = clip_seconds(data)
        silence = {ear: self.parts[ear].null_spectrogram(seconds=seconds) for ear in self.tokens.ears}
        return _halves(self._tokens("", torch.zeros(1, 3, data.height, data.width), silence))

    def _latents(self, frames: Tensor) -> Tensor:
        parts = []
        for some in frames.split(FRAMES_AT_ONCE):
            latents = self.parts["vae"].encode(to_pixels(some.to(self.device))).latent_dist
            parts.append(torch.stack([latents.mean, latents.std], dim=1))
        return torch.cat(parts)

    def _tokens(self, caption: str, pixels: Tensor, heard: dict[str, Tensor]) -> dict[str, Tensor]:
        heard = {ear: spectrogram.to(self.device) for ear, spectrogram in heard.items()}
        tokens = self.tokens.hear(self.parts, heard)
        if "text_encoder" in self.parts:
            tokens["text"] = text_tokens(self.tokenizer, self.parts["text_encoder"], [caption])
        if "image_encoder" in self.parts:
            tokens["image"] = image_tokens(self.parts["image_encoder"], pixels.to(self.device))
        return {name: value[0] for name, value in tokens.items()}


class MTVEncoders(Encoders):
    """Latents of a clip, which MTV does not draw, tokens of its words, and features of each track of its sound."""

    @torch.no_grad()
    def __call__(self, clip: TrainingClip) -> dict[str, Tensor]:
        """What is stored of a clip.

        Returns:
            ``frames`` (t, c, h, w), ``text`` (n, d) and of each track (t, layers, d) float16, ``motion`` (t,) float32.
        """
        plan, count, ear = self.plan, len(clip.frames), self.parts["audio_encoder"]
        stems = self.plan.tokens.stems
        sounds = torch.as_tensor(stems_of(clip, plan.tokens.tracks, "masks" if stems == "stored" else stems))
        tracks = named_tracks(sounds.to(self.device)[:, None])
        fps = count / (sounds.shape[1] / SAMPLE_RATE)
        heard = {name: track_features(ear, sound, count, count, fps)[0] for name, sound in tracks.items()}
        pixels = to_pixels(torch.as_tensor(clip.frames)[None].to(self.device))
        latents = {"frames": encode_video(self.parts["vae"], pixels)[0]}
        if "text_encoder" in self.parts:
            text = prompt_embeds(self.tokenizer, self.parts["text_encoder"], [clip.caption], plan.text_length)
            latents["text"] = text[0]
        return _halves(latents | heard) | {"motion": torch.as_tensor(clip.motion_curve)}

    def nothing(self, data: DataRecipe) -> dict[str, Tensor]:
        """MTV leaves conditions out as zeros."""
        del data
        return {}


def _halves(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    halves = {name: value.half().cpu().contiguous() for name, value in tensors.items()}
    for name, value in halves.items():
        if not value.isfinite().all():
            raise ValueError(f"`{name}` must be finite in half precision, got what is not.")
    return halves
