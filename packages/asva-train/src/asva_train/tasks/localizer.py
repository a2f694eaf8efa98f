"""Training of the localizer: the sound of a clip to its motion curve (KeyVID, section 3.1)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from asva_audio import imagebind_mel
from asva_keyframe import curve_label
from asva_keyframe.losses import LocalizerLoss
from asva_train.clips import clip_source
from asva_train.components import build_component, component_kind, read_component, start_from
from asva_train.task_recipes import LocalizerRecipe
from asva_train.training_clip import TrainingClip


def sound_view(clip: TrainingClip, generator: torch.Generator) -> dict:
    """The sound of a clip as a mel spectrogram, and how it moves."""
    num_frames = len(clip.motion_curve)
    return {
        "mel": imagebind_mel(torch.as_tensor(clip.waveform))[0],
        "curve": curve_label(torch.as_tensor(clip.motion_curve), num_frames),
        "class_index": clip.class_index,
    }


def _hear_as(encoder: nn.Module, pretrained: nn.Module) -> None:
    """Give an encoder the weights of another, but for the places of its patches, which are its own."""
    own = encoder.state_dict()
    start_from(
        encoder,
        {name: value for name, value in pretrained.state_dict().items() if name in own}
        | {"positions": own["positions"]},
    )


class LocalizerTask:
    """Trains ``asva_keyframe.MotionLocalizer``; its audio encoder may become that of the U-Nets."""

    def __init__(self, recipe: LocalizerRecipe, folder: Path):
        self.recipe, self.source = recipe, clip_source(recipe.data)
        self.localizer = build_component("localizer", recipe.model, recipe.loop.seed)
        if recipe.init is not None and component_kind(recipe.init) == "ImageBindAudioEncoder":
            _hear_as(self.localizer.encoder, read_component("audio_encoder", recipe.init))
        elif recipe.init is not None:
            start_from(self.localizer, read_component("localizer", recipe.init))
        with torch.random.fork_rng():
            torch.manual_seed(recipe.loop.seed + 1)
            self.module = LocalizerLoss(
                self.localizer,
                num_classes=len(self.source.class_names),
                aux_weight=recipe.aux_weight,
                spectrum_weight=recipe.spectrum_weight,
                class_weight=recipe.class_weight,
            )
        self.view = sound_view

    def previews(self) -> dict[str, Tensor]:
        """Curves are in the log as numbers; there is no video to show."""
        return {}

    def export(self, folder: Path) -> None:
        """Write ``localizer``, and its encoder as ``audio_encoder`` if the recipe shares it."""
        self.localizer.save_pretrained(folder / "localizer")
        if self.recipe.share_encoder:
            self.localizer.encoder.save_pretrained(folder / "audio_encoder")
