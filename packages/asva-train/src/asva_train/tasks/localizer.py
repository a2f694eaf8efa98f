"""Training of the localizer: the sound of a clip to its motion curve (KeyVID, section 3.1)."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_train.clips import TrainingClip, clip_source
from asva_train.components import build_component, read_component, start_from
from asva_train.task_recipes import LocalizerRecipe

_BANDS = 16


def sound_view(clip: TrainingClip, generator: torch.Generator) -> dict:
    """The sound of a clip as a mel spectrogram, and how it moves."""
    from asva_audio import imagebind_mel
    from asva_keyframe import curve_label

    num_frames = len(clip.motion_curve)
    return {
        "mel": imagebind_mel(torch.as_tensor(clip.waveform))[0],
        "curve": curve_label(torch.as_tensor(clip.motion_curve), num_frames),
        "class_index": clip.class_index,
    }


def frame_spectrum(mel: Tensor, num_frames: int, bands: int = _BANDS) -> Tensor:
    """Mel spectrogram (b, 1, f, s) averaged to (b, num_frames, bands)."""
    return F.adaptive_avg_pool2d(mel, (bands, num_frames)).squeeze(1).transpose(1, 2)


class LocalizerLoss(nn.Module):
    """Error of the motion curve, of the loudness curve, and of what else a frame's hidden state should tell."""

    def __init__(self, localizer: nn.Module, recipe: LocalizerRecipe, num_classes: int):
        super().__init__()
        self.localizer, self.recipe = localizer, recipe
        width = localizer.encoder.config.hidden_size
        self.spectrum, self.sound_class = nn.Linear(width, _BANDS), nn.Linear(width, num_classes)

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        from asva_keyframe import localizer_loss, mel_label

        recipe, mel, label = self.recipe, batch["mel"], batch["curve"]
        answer = self.localizer(mel, output_hidden_states=True)
        num_frames = label.shape[1]
        loss = localizer_loss(answer.motion_curve, label, mel_label(mel, num_frames), recipe.aux_weight)
        losses = {"curve": F.mse_loss(answer.motion_curve.float(), label)}
        if recipe.spectrum_weight:
            spectrum = frame_spectrum(mel, num_frames)
            losses["spectrum"] = F.mse_loss(self.spectrum(answer.hidden).float(), spectrum)
            loss = loss + recipe.spectrum_weight * losses["spectrum"]
        if recipe.class_weight:
            named = self.sound_class(answer.hidden.mean(1)).float()
            losses["class"] = F.cross_entropy(named, batch["class_index"], ignore_index=-1)
            loss = loss + recipe.class_weight * losses["class"]
        return {"loss": loss, **losses}


class LocalizerTask:
    """Trains ``asva_keyframe.MotionLocalizer``; its audio encoder may become that of the U-Nets."""

    def __init__(self, recipe: LocalizerRecipe, folder: Path):
        self.recipe, self.source = recipe, clip_source(recipe.data)
        self.localizer = build_component("localizer", recipe.model, recipe.loop.seed)
        if recipe.init is not None:
            start_from(self.localizer, read_component("localizer", recipe.init))
        with torch.random.fork_rng():
            torch.manual_seed(recipe.loop.seed + 1)
            self.module = LocalizerLoss(self.localizer, recipe, len(self.source.class_names))
        self.view = sound_view

    def previews(self) -> dict[str, Tensor]:
        """Curves are in the log as numbers; there is no video to show."""
        return {}

    def export(self, folder: Path) -> None:
        """Write ``localizer``, and its encoder as ``audio_encoder`` if the recipe shares it."""
        self.localizer.save_pretrained(folder / "localizer")
        if self.recipe.share_encoder:
            self.localizer.encoder.save_pretrained(folder / "audio_encoder")
