"""Everything that the localizer learns at once (KeyVID, section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_keyframe.labels import localizer_loss, mel_label

if TYPE_CHECKING:
    from asva_keyframe.localizer import MotionLocalizer

_BANDS = 16


def frame_spectrum(mel: Tensor, num_frames: int, bands: int = _BANDS) -> Tensor:
    """Mel spectrogram (b, 1, f, s) averaged to (b, num_frames, bands)."""
    return F.adaptive_avg_pool2d(mel, (bands, num_frames)).squeeze(1).transpose(1, 2)


class LocalizerLoss(nn.Module):
    """Error of the motion curve, of the loudness curve, and of what else a frame's hidden state should tell.

    Args:
        localizer: A `MotionLocalizer`.
        num_classes: Classes of sound that are told apart.
        aux_weight: Weight of the loudness curve as a second target (official code: 0.3).
        spectrum_weight: Ours. Weight of predicting each frame's spectrum, so that the audio encoder keeps pitch.
        class_weight: Ours. Weight of naming the clip's class from its sound.

    >>> encoder = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    >>> from asva_keyframe import MotionLocalizer
    >>> loss = LocalizerLoss(MotionLocalizer(audio_encoder=encoder, head="columns"), num_classes=3, class_weight=0.1)
    >>> clips = {"mel": torch.zeros(2, 1, 128, 204), "curve": torch.rand(2, 48), "class_index": torch.tensor([0, 2])}
    >>> sorted(loss(clips))
    ['class', 'curve', 'loss']
    """

    def __init__(
        self,
        localizer: MotionLocalizer,
        *,
        num_classes: int,
        aux_weight: float = 0.3,
        spectrum_weight: float = 0.0,
        class_weight: float = 0.0,
    ):
        super().__init__()
        self.localizer = localizer
        self.aux_weight, self.spectrum_weight, self.class_weight = aux_weight, spectrum_weight, class_weight
        width = localizer.encoder.config["hidden_size"]
        self.spectrum, self.sound_class = nn.Linear(width, _BANDS), nn.Linear(width, num_classes)

    def forward(self, batch: dict[str, Tensor], generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Losses of ``mel`` (b, 1, f, s), the motion ``curve`` (b, t) and ``class_index`` (b,), -1 where unknown."""
        mel, label = batch["mel"], batch["curve"]
        answer = self.localizer(mel, output_hidden_states=True)
        num_frames = label.shape[1]
        loss = localizer_loss(answer.motion_curve, label, mel_label(mel, num_frames), self.aux_weight)
        losses = {"curve": F.mse_loss(answer.motion_curve.float(), label)}
        if self.spectrum_weight:
            spectrum = frame_spectrum(mel, num_frames)
            losses["spectrum"] = F.mse_loss(self.spectrum(answer.hidden).float(), spectrum)
            loss = loss + self.spectrum_weight * losses["spectrum"]
        if self.class_weight:
            named = self.sound_class(answer.hidden.mean(1)).float()
            losses["class"] = F.cross_entropy(named, batch["class_index"], ignore_index=-1)
            loss = loss + self.class_weight * losses["class"]
        return {"loss": loss, **losses}
