"""What MTV hears: three tracks at their levels, each as features around every video frame (MTV, section 4.1)."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from asva_audio.levels import SILENCE, set_levels
from asva_audio.mel import imagebind_mel
from asva_audio.stems import TRACKS, Stems
from asva_audio.wav2vec import frame_windows, wav2vec_features

SAMPLE_RATE = 16000
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


def track_features(encoder: Any, waveform: Tensor, num_frames: int, padded_frames: int, fps: float) -> Tensor:
    """(b, padded_frames, layers, d) of (b, s) mono sounds at 16 kHz that last `num_frames`; what follows is silence."""
    if hasattr(encoder, "frame_features"):
        return encoder.frame_features(waveform, padded_frames)
    samples = None if padded_frames == num_frames else round(padded_frames / fps * SAMPLE_RATE)
    return wav2vec_features(encoder, waveform, padded_frames, num_samples=samples)


def hear_tracks(
    encoder: Any, tracks: dict[str, Tensor], num_frames: int, padded_frames: int, *, fps: float, window: int
) -> dict[str, Tensor]:
    """Features around every frame of each track: (b, padded_frames, window, layers, d) by ``speech_embeds`` and so on.

    Args:
        encoder: ``LogMelFrames`` or transformers' ``Wav2Vec2Model``.
        tracks: (b, s) mono sounds at 16 kHz by ``speech``, ``effects``, ``music`` and perhaps ``speech2``.
        num_frames: Frames of the clip.
        padded_frames: Frames that all windows need.
        fps: Frames per second.
        window: Frames of features that one frame sees.
    """
    return {
        f"{name}_embeds": frame_windows(track_features(encoder, sound, num_frames, padded_frames, fps), window)
        for name, sound in tracks.items()
    }


def level_voices(tracks: dict[str, Tensor]) -> dict[str, Tensor]:
    """(1, s) tracks at 16 kHz at MTV's peaks; crumbs that a demixer left in an empty one stay as quiet as they are.

    Args:
        tracks: ``speech``, ``effects``, ``music`` and, of a second speaker, ``speech2``, who is as loud as the first.
    """
    second = tracks.get("speech2")
    stems = [Stems(*(tracks[name] for name in TRACKS), SAMPLE_RATE)]
    if second is not None:
        stems.append(Stems(second, torch.zeros_like(second), torch.zeros_like(second), SAMPLE_RATE))
    first, *others = (set_levels(each, silence=SILENCE) for each in stems)
    return dict(first.items()) | ({} if second is None else {"speech2": others[0].speech})
