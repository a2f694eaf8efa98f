"""RelSync and AlignSync: synchronization of a generated clip relative to its true one (AVSyncD, section 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from asva_metrics.arrays import finite


def relative_sync(generated: Any, reference: Any) -> np.ndarray:
    """RelSync of each clip: the classifier's odds of the generated clip against the true one (eq. 2).

    ``exp(phi) / (exp(phi_reference) + exp(phi))``. Two clips equally in time give 0.5, which is what the papers print
    as 50; the original overflows beyond phi = 88, this does not.

    Args:
        generated: (...) phi of the generated frames, array or tensor.
        reference: (...) phi of the true frames with the sound of the true file.

    Returns:
        (...) float64 in [0, 1].

    Raises:
        ValueError: If the shapes differ or a score is not finite.

    Example:
        >>> relative_sync([2.0, 0.0], [2.0, 100.0]).round(3).tolist()
        [0.5, 0.0]
    """
    first, second = finite(generated, "generated"), finite(reference, "reference")
    if first.shape != second.shape:
        raise ValueError(f"`generated` must have the shape of `reference` {second.shape}, got {first.shape}.")
    return expit(first - second)


def align_sync(relative: Any, image_audio: Any, reference_image_audio: Any) -> np.ndarray:
    """AlignSync of each clip: RelSync times how well the frames suit the sound (eqs. 3 and 4).

    ``RelSync * mean_i exp(IA_i) / (exp(IA_i) + exp(IA_reference))``, over the generated frames but the first.

    Args:
        relative: (n,) RelSync.
        image_audio: (n, t) cosines of the generated frames with the sound; leave the first frame out.
        reference_image_audio: (n,) cosine of the true first frame.

    Returns:
        (n,) float64 in [0, 1]; a perfect copy gives 0.25.

    Raises:
        ValueError: If the shapes do not fit or a score is not finite.
    """
    sync, images = finite(relative, "relative"), finite(image_audio, "image_audio")
    first = finite(reference_image_audio, "reference_image_audio")
    if images.ndim != 2 or images.shape[1] == 0 or not len(sync) == len(first) == len(images):
        raise ValueError(
            f"`image_audio` must have shape (n, t) for n = {len(sync)} clips, got {images.shape} and {first.shape}."
        )
    return sync * expit(images - first.reshape(-1, 1)).mean(axis=1)


def sync_probability(phi: Any, *, temperature: float = 1.0) -> np.ndarray:
    """P_sync of each clip: how likely the centre of the shifts is the one in time (AVSyncD, section 4).

    Args:
        phi: (n, k) scores of the same frames with the sound at k shifts, k odd; the true one in the middle.
        temperature: Divides phi; the curation of AVSync15 leaves it at 1, the training takes 0.1.

    Returns:
        (n,) float64 in [0, 1]; ``1 / k`` is chance.

    Raises:
        ValueError: If the shape is another, k is even or a score is not finite.
    """
    scores = finite(phi, "phi")
    if scores.ndim != 2 or scores.shape[1] % 2 == 0:
        raise ValueError(f"`phi` must have shape (n, k) with k odd, got {scores.shape}.")
    scaled = scores / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers[:, scores.shape[1] // 2] / powers.sum(axis=1)
