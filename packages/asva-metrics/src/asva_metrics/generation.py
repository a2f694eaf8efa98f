"""The numbers of a set of generated clips as AVSyncD's evaluation adds them up (section 7 of its code)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asva_metrics.avsync_scores import align_sync, relative_sync
from asva_metrics.features import FeatureStatistics
from asva_metrics.frechet import frechet_distance


@dataclass(frozen=True)
class MeanStd:
    """A score of many clips.

    Attributes:
        mean: Mean over the clips.
        std: Standard deviation over the clips, divided by n - 1; nan for a single one.
        per_clip: (n,) score of each clip.
    """

    mean: float
    std: float
    per_clip: np.ndarray


@dataclass(frozen=True)
class GenerationScores:
    """Scores of a set of generated clips; all but the distances are fractions, which the papers print times 100.

    Attributes:
        fid: Frechet distance of the frames, the first of each clip left out on both sides.
        fvd: Frechet distance of the clips.
        image_audio: IA, cosine of the frames with the sound.
        image_text: IT, cosine of the frames with the text.
        relative_sync: RelSync; 0.5 for the true clips themselves.
        align_sync: AlignSync; 0.25 for the true clips themselves.
    """

    fid: float
    fvd: float
    image_audio: MeanStd
    image_text: MeanStd
    relative_sync: MeanStd
    align_sync: MeanStd


def generation_scores(
    *,
    real_frames: Any,
    fake_frames: Any,
    real_clips: Any,
    fake_clips: Any,
    image_audio: Any,
    reference_image_audio: Any,
    image_text: Any,
    phi: Any,
    reference_phi: Any,
) -> GenerationScores:
    """All scores of AVSyncD from features of n clips of t frames.

    The first frame, which is given to the model, counts neither for FID nor for IA, IT and AlignSync.

    Args:
        real_frames: (n, t, d) Inception features of the true frames.
        fake_frames: (n, t, d) of the generated ones.
        real_clips: (n, d) I3D logits of the true clips.
        fake_clips: (n, d) of the generated ones.
        image_audio: (n, t) cosines of the generated frames with the sound.
        reference_image_audio: (n,) or (n, 1) cosine of the true first frame with the sound.
        image_text: (n, t) cosines of the generated frames with the text.
        phi: (n,) score of the generated frames with the generated file's sound.
        reference_phi: (n,) score of the true frames with the true file's sound.

    Returns:
        Scores.

    Raises:
        ValueError: If the numbers of clips differ, there is only one frame, or a value is not finite.
    """
    cosines = [_table(x, name) for x, name in ((image_audio, "image_audio"), (image_text, "image_text"))]
    count = len(cosines[0])
    first, scores, references = (_row(x) for x in (reference_image_audio, phi, reference_phi))
    if any(len(x) != count for x in (cosines[1], first, scores, references)):
        raise ValueError(
            f"`phi` and the cosines must be of the same {count} clips, got {len(scores)} and {len(first)}."
        )
    relative = relative_sync(scores, references)
    return GenerationScores(
        fid=frechet_distance(_but_first(real_frames), _but_first(fake_frames), variant="avsync"),
        fvd=frechet_distance(real_clips, fake_clips, variant="avsync"),
        image_audio=mean_std(cosines[0][:, 1:].mean(axis=1)),
        image_text=mean_std(cosines[1][:, 1:].mean(axis=1)),
        relative_sync=mean_std(relative),
        align_sync=mean_std(align_sync(relative, cosines[0][:, 1:], first)),
    )


def mean_std(per_clip: Any) -> MeanStd:
    """Mean and standard deviation (n - 1) of one score per clip.

    Example:
        >>> mean_std([1.0, 3.0]).std
        1.4142135623730951
    """
    values = _row(per_clip)
    if len(values) == 0:
        raise ValueError("`per_clip` must hold at least one clip, got none.")
    return MeanStd(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else float("nan"), values)


def _but_first(frames: Any) -> FeatureStatistics:
    if frames.ndim != 3:
        raise ValueError(f"`frames` must have shape (n, t, d), got {tuple(frames.shape)}.")
    return FeatureStatistics(frames[:, 1:].reshape(-1, frames.shape[-1]))


def _table(values: Any, name: str) -> np.ndarray:
    array = _array(values)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(f"`{name}` must have shape (n, t) with t of at least 2, got {array.shape}.")
    return array


def _row(values: Any) -> np.ndarray:
    return _array(values).reshape(-1)


def _array(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
