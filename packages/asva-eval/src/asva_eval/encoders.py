"""Networks of the scores as functions of frames, sounds and words, as the scores of asva-curate take them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asva_audio import Demixer, avsyncd_mel, resample
from asva_eval.network_observations import NETWORK_RATE
from asva_eval.weights import Networks
from asva_metrics import clip_video
from asva_metrics.faces import CONFIDENCE, face_detector

SYNC_FRAMES = 12
"""Frames of 2 s that the AVSync classifier was trained on."""
SPOKEN, STEP = -45.0, 0.1
"""Loudness in dBFS of the speech track from which on someone speaks, and the seconds that are asked at once."""


class ImageBindEncoders:
    """ImageBind's vectors; its tower of images is a frozen CLIP, so that their change is the change of CLIP.

    Args:
        networks: With "imagebind", and "tokenizer" for words.
    """

    def __init__(self, networks: Networks) -> None:
        self.networks, self.model = networks, networks["imagebind"]

    @torch.inference_mode()
    def images(self, frames: np.ndarray) -> np.ndarray:
        """(t, h, w, 3) uint8 -> (t, d)."""
        return self.model.embed_video(_video(frames, self.networks.device))[0].float().cpu().numpy()

    @torch.inference_mode()
    def audio(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        """(c, s) float32 -> (d,) of the middle 2 s."""
        return self.model.embed_audio(_mel(waveform, sample_rate, self.networks.device))[0].float().cpu().numpy()

    def text(self, words: str) -> np.ndarray:
        """Words -> (d,)."""
        return self.networks.embed_text("imagebind", words)


class SyncJudge:
    """Phi of the AVSync classifier for frames and a sound of the same 2 s; frames that were just seen are kept.

    Args:
        networks: With "avsync".
    """

    def __init__(self, networks: Networks) -> None:
        self.network, self.device = networks["avsync"], networks.device
        self._frames, self._seen = None, None

    @torch.inference_mode()
    def __call__(self, frames: np.ndarray, waveform: np.ndarray, sample_rate: int) -> float:
        """Phi, larger for in time."""
        if frames is not self._frames:
            chosen = frames[np.arange(SYNC_FRAMES) * len(frames) // SYNC_FRAMES]
            self._frames, self._seen = frames, self.network.embed_video(clip_video(_video(chosen, self.device)))
        sound = self.network.embed_audio(_mel(waveform, sample_rate, self.device))
        return float(self.network.score(sound, self._seen)[0])


class Separator:
    """A demixer as mono tracks of a sound; the sound that was just taken apart is kept.

    Args:
        demixer: Such as `asva_audio.load_demucs` gives.
    """

    def __init__(self, demixer: Demixer) -> None:
        self.demixer = demixer
        self._heard: np.ndarray | None = None
        self._tracks: dict[str, np.ndarray] = {}

    def __call__(self, waveform: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        """(c, s) float32 -> (s,) of speech, effects, music, and others, which is all but speech."""
        if waveform is not self._heard:
            stems = self.demixer(torch.from_numpy(np.ascontiguousarray(waveform, np.float32)), sample_rate)
            tracks = {name: track.mean(dim=0).numpy() for name, track in stems.items()}
            self._heard, self._tracks = waveform, tracks | {"others": tracks["effects"] + tracks["music"]}
        return self._tracks

    def spoken(self, excerpt: Any) -> list[tuple[float, float]]:
        """Seconds of an excerpt in which its speech is loud enough: a diariser of one speaker."""
        if excerpt.waveform is None or not excerpt.waveform.size:
            return []
        speech = self(excerpt.waveform, excerpt.sample_rate)["speech"]
        size = max(1, round(STEP * excerpt.sample_rate))
        firsts = range(0, len(speech), size)
        loud = [10 * np.log10(np.mean(np.square(speech[i : i + size])) + 1e-10) >= SPOKEN for i in firsts]
        return [
            (i / excerpt.sample_rate, (i + size) / excerpt.sample_rate)
            for i, is_loud in zip(firsts, loud, strict=True)
            if is_loud
        ]


def count_faces(detector: Path | Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], int]:
    """How many faces a (h, w, 3) uint8 frame shows, by a detector as `asva_metrics.find_face_boxes` takes it."""
    find = face_detector(detector)
    return lambda frame: sum(row[4] >= CONFIDENCE for row in np.reshape(find(frame), (-1, 5)))


def _video(frames: np.ndarray, device: str) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)[None].to(device)


def _mel(waveform: np.ndarray, sample_rate: int, device: str) -> torch.Tensor:
    mono = torch.from_numpy(np.ascontiguousarray(waveform, np.float32)).mean(dim=0, keepdim=True)
    return avsyncd_mel(resample(mono, sample_rate, NETWORK_RATE)).to(device)
