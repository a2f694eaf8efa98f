"""Keyframe latents put into the running sampler (KeyVID's released code, stage 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .anchors import check_indices, put_frames, take_frames


def inject_keyframes(
    latents: Tensor, keyframe_latents: Tensor, keyframe_indices: Tensor, noise: Tensor, alpha: float
) -> Tensor:
    """Replace the keyframes among noisy latents by ``sqrt(alpha) * keyframe + sqrt(1 - alpha) * noise``.

    Args:
        latents: (b, t, c, h, w) noisy latents.
        keyframe_latents: (b, k, c, h, w) clean latents.
        keyframe_indices: (b, k) rising, each in [0, t).
        noise: (b, t, c, h, w) unit noise.
        alpha: Signal share of `latents`, 0 to 1.

    Returns:
        (b, t, c, h, w); the other frames are unchanged.

    Raises:
        ValueError: If an index is wrong.
    """
    check_indices(keyframe_indices, *latents.shape[:2])
    noisy = alpha**0.5 * keyframe_latents + (1 - alpha) ** 0.5 * take_frames(noise, keyframe_indices)
    return put_frames(latents, keyframe_indices, noisy)


@dataclass(frozen=True)
class KeyframeInjection:
    """Injection after the first steps, for ``asva_unet.denoise(after_step=...)``.

    Args:
        keyframe_latents: (b, k, c, h, w) clean latents.
        keyframe_indices: (b, k) their places.
        last_step: Last step after which they are injected; the released code's 0 is the first step only.
    """

    keyframe_latents: Tensor
    keyframe_indices: Tensor
    last_step: int = 0

    def __call__(self, step: int, latents: Tensor, noise: Callable[[], Tensor], alpha: float) -> Tensor:
        """Latents after the step, with the keyframes in their places while `step` is not behind `last_step`."""
        if step > self.last_step:
            return latents
        return inject_keyframes(latents, self.keyframe_latents, self.keyframe_indices, noise(), alpha)
