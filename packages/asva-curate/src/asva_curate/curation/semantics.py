"""Scores from encoders that the caller brings: change of meaning, image-audio, image-text and synchrony."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asva_curate.curation.excerpts import Excerpt
from asva_data import MediaError, clip_starts

Encoder = Callable[..., np.ndarray]


class SemanticsScore:
    """Scores of one family of encoders over the frames of an excerpt (AVSyncD, section 3).

    ``semantics`` is the mean distance ``1 - cosine`` of neighbouring frames, ``ia`` the mean cosine of the frames with
    the sound, ``it`` with the class in words. A score whose encoder is missing is not given.

    Args:
        encode_images: ``(t, h, w, 3) uint8 -> (t, d)``.
        encode_audio: ``(waveform (c, s), sample_rate) -> (d,)``, or None.
        encode_text: ``str -> (d,)``, or None.
    """

    def __init__(
        self, encode_images: Encoder, encode_audio: Encoder | None = None, encode_text: Encoder | None = None
    ) -> None:
        self.encode_images, self.encode_audio, self.encode_text = encode_images, encode_audio, encode_text
        self._texts: dict[str, np.ndarray] = {}

    def __call__(self, excerpt: Excerpt) -> dict[str, float]:
        """Judge one excerpt."""
        images = _unit(self.encode_images(excerpt.frames))
        neighbours = (images[1:] * images[:-1]).sum(axis=1)
        scores = {"semantics": float(1 - neighbours.mean()) if len(neighbours) else 0.0}
        if self.encode_audio is not None and excerpt.waveform is not None and excerpt.waveform.size:
            sound = _unit(self.encode_audio(excerpt.waveform, excerpt.sample_rate))
            scores["ia"] = float((images @ sound).mean())
        if self.encode_text is not None and excerpt.label:
            if excerpt.label not in self._texts:
                self._texts[excerpt.label] = _unit(self.encode_text(excerpt.label))
            scores["it"] = float((images @ self._texts[excerpt.label]).mean())
        return scores


def sync_probability(logits: np.ndarray, true: int) -> float:
    """``P_sync = exp(phi_true) / sum_j exp(phi_j)`` over the true sound and shifted ones (AVSyncD, eq. 1 without tau).

    Args:
        logits: (n,) scores of the picture with each sound.
        true: Place of its own sound among them.

    Raises:
        MediaError: If there is nothing to compare with.
    """
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 1 or len(logits) < 2 or not 0 <= true < len(logits):
        raise MediaError(f"`logits` must be (n,), n at least 2, with `true` among them, got {logits.shape} and {true}.")
    weights = np.exp(logits - logits.max())
    return float(weights[true] / weights.sum())


class SyncScore:
    """A score ``sync``: the probability that the sound belongs where it is, against the same sound shifted.

    The excerpt's middle part is the picture; the sounds are pieces of the excerpt at several places, of which the
    middle one is true. Use it with a `Plan` whose excerpts are longer than the clip by the shifts.

    Args:
        judge: ``(frames (t, h, w, 3), waveform (c, s), sample_rate) -> number``, larger for a better fit, such as the
            classifier of asva-metrics.
        clip_seconds: Length of the clip that it judges.
        num_clips: Odd number of places.
    """

    def __init__(
        self, judge: Callable[[np.ndarray, np.ndarray, int], float], clip_seconds: float = 1.0, num_clips: int = 5
    ) -> None:
        if num_clips < 3 or num_clips % 2 == 0:
            raise MediaError(f"`num_clips` must be odd and at least 3, got {num_clips}.")
        self.judge, self.clip_seconds, self.num_clips = judge, clip_seconds, num_clips

    def __call__(self, excerpt: Excerpt) -> dict[str, float]:
        """Judge one excerpt; nothing is said of one without sound."""
        if excerpt.waveform is None or excerpt.seconds <= self.clip_seconds:
            return {}
        starts = clip_starts(excerpt.seconds, self.num_clips, clip_seconds=self.clip_seconds)
        middle = starts[self.num_clips // 2]
        seen = (excerpt.times >= middle - 1e-6) & (excerpt.times < middle + self.clip_seconds - 1e-6)
        size = round(self.clip_seconds * excerpt.sample_rate)
        firsts = [round(start * excerpt.sample_rate) for start in starts]
        pieces = [excerpt.waveform[:, first : first + size] for first in firsts]
        if not seen.any() or any(piece.shape[1] < size for piece in pieces):
            return {}
        picture = excerpt.frames[seen]  # the same array for all, so that a judge need look at it once
        logits = [self.judge(picture, piece, excerpt.sample_rate) for piece in pieces]
        return {"sync": sync_probability(np.array(logits), self.num_clips // 2)}


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
