"""What MTV hears: three tracks at their levels, each as features around every video frame (MTV, section 4.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asva_audio.levels import SILENCE, set_levels
from asva_audio.stems import TRACKS, Stems
from asva_audio.wav2vec import frame_windows, wav2vec_features

SAMPLE_RATE = 16000


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
