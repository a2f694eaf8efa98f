"""The ear of the small MTV model: pieces of a log-mel spectrogram."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from asva_audio.mel import imagebind_mel
from asva_audio.mtv_features import SAMPLE_RATE

_STEP, _CENTER = 0.01, 0.0125  # seconds between windows of the spectrogram, and the middle of the first


class LogMelFrames(ModelMixin, ConfigMixin):
    """The ear of the small MTV model, in the place of wav2vec 2.0: a few pieces of log-mel spectrogram per frame.

    Has no weights that learn. Its "layers" are pieces of the frame's time.

    Args:
        fps: Frames per second of the video.
        num_hidden_layers: Pieces of a frame.
        hidden_size: Mel bands.
    """

    @register_to_config
    def __init__(self, fps: float = 24, num_hidden_layers: int = 4, hidden_size: int = 64) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(1), requires_grad=False)  # for a device, a type and a file

    def frame_features(self, waveform: Tensor, num_frames: int) -> Tensor:
        """See the call, by which offloading brings what it needs."""
        return self(waveform, num_frames)

    def forward(self, waveform: Tensor, num_frames: int) -> Tensor:
        """(b, num_frames, layers, d) of (b, s) mono sound at 16 kHz; behind its end there is silence."""
        config = self.config
        pieces = config.num_hidden_layers
        length = round(num_frames / config.fps / _STEP) + 1
        needed = round((length * _STEP + 0.025) * SAMPLE_RATE)
        sound = torch.nn.functional.pad(waveform, (0, max(needed - waveform.shape[-1], 0)))
        mel = imagebind_mel(sound, num_mel_bins=config.hidden_size, num_frames=length)[:, 0]  # (b, f, n)
        middles = (torch.arange(num_frames * pieces, device=mel.device) + 0.5) / (pieces * config.fps)
        place = ((middles - _CENTER) / _STEP).clamp(0, length - 1)
        low = place.floor().long().clamp(max=length - 2)
        share = (place - low).to(mel)
        heard = mel[..., low] * (1 - share) + mel[..., low + 1] * share
        return heard.transpose(1, 2).unflatten(1, (num_frames, pieces)) + self.shift.to(mel)
