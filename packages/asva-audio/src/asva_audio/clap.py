"""CLAP's tower of sounds (arXiv 2211.06687) for features: log mel -> tokens of 0.32 s in two bands."""

from __future__ import annotations

import math
import os
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from asva_audio.imagebind_network import AudioEncoderOutput
from asva_audio.sound import resample

RATE, COLUMN = 48000, 0.32


class CLAPAudioEncoder(ModelMixin, ConfigMixin):
    """transformers' ``ClapAudioModel`` without fusion, of which the last layer's tokens are taken.

    CLAP hears ten seconds, which shorter sounds fill by being repeated; the tokens are those of the first time. Token
    ``f * t + k`` is band f of column k.

    Args:
        seconds: How long sounds are, at most 10.
        hidden_size: Width d of the tokens: ``patch_embeds_hidden_size`` doubled by each stage but the first.
        patch_embeds_hidden_size: Width of the first stage.
        depths: Layers of each of four stages.
        num_attention_heads: Heads of each stage.
        window_size: Side of a window of attention.

    Raises:
        ValueError: If ``seconds`` is not in (0, 10], or there are not four stages.
    """

    @register_to_config
    def __init__(
        self,
        seconds: float = 2.0,
        hidden_size: int = 768,
        patch_embeds_hidden_size: int = 96,
        depths: tuple[int, ...] = (2, 2, 6, 2),
        num_attention_heads: tuple[int, ...] = (4, 8, 16, 32),
        window_size: int = 8,
    ) -> None:
        from transformers import ClapAudioConfig, ClapAudioModel

        super().__init__()
        if not 0 < seconds <= 10:
            raise ValueError(f"`seconds` must be above 0 and at most 10, got {seconds:g}.")
        if len(depths) != 4:
            raise ValueError(f"`depths` must be of four stages, which make columns of {COLUMN} s, got {tuple(depths)}.")
        told = {name: value for name, value in self.config.items() if not name.startswith("_") and name != "seconds"}
        told |= {"depths": list(depths), "num_attention_heads": list(num_attention_heads)}
        self.model = ClapAudioModel(ClapAudioConfig(**told, num_hidden_layers=len(depths), enable_fusion=False))

    @classmethod
    def from_clap(cls, folder: str | os.PathLike[str], seconds: float = 2.0) -> CLAPAudioEncoder:
        """The tower of a local folder of transformers' ``ClapModel``, such as a copy of laion/clap-htsat-unfused.

        Raises:
            ValueError: If it fuses longer sounds.
        """
        from transformers import ClapModel

        tower: Any = ClapModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).audio_model
        if tower.config.enable_fusion:
            raise ValueError(
                f"`folder` must hold a CLAP without fusion, such as laion/clap-htsat-unfused, got {folder}."
            )
        names = ("hidden_size", "patch_embeds_hidden_size", "depths", "num_attention_heads", "window_size")
        made = cls(seconds=seconds, **{name: getattr(tower.config, name) for name in names})
        made.model.load_state_dict(tower.state_dict())
        return made.eval()

    @property
    def grid(self) -> tuple[int, int]:
        """Number of tokens as (frequency, time)."""
        return 2, math.ceil(self.config["seconds"] / COLUMN)

    def spectrogram(self, waveform: Tensor, sample_rate: int = 16000) -> Tensor:
        """(b, s) sound -> (b, 1, frames, 64) log mel of ten seconds."""
        from transformers import ClapFeatureExtractor

        sounds = resample(waveform.float(), sample_rate, RATE).cpu().numpy()
        extractor = ClapFeatureExtractor(truncation="rand_trunc")
        return extractor(list(sounds), sampling_rate=RATE, return_tensors="pt")["input_features"].to(waveform.device)

    def null_spectrogram(self, batch: int = 1, seconds: float = 2.0, device: torch.device | None = None) -> Tensor:
        """The "no sound" input: that of silence."""
        silence = torch.zeros(1, round(seconds * RATE))
        return self.spectrogram(silence, RATE).expand(batch, -1, -1, -1).to(device or self.device)

    def token_times(self, spectrogram: Tensor) -> Tensor:
        """(f * t, 2) float64 seconds, start and end of what each token hears."""
        bands, columns = self.grid
        starts = COLUMN * torch.arange(columns, dtype=torch.float64)
        return torch.stack([starts, starts + COLUMN], dim=1).repeat(bands, 1).to(spectrogram.device)

    def forward(self, mel: Tensor) -> AudioEncoderOutput:
        """Encode log mels (b, 1, frames, 64); tokens (b, n, d)."""
        found = self.model(input_features=mel.to(self.dtype)).last_hidden_state
        return AudioEncoderOutput(found[..., : self.grid[1]].flatten(2).transpose(1, 2))
