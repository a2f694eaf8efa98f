"""Training targets and loss of the localizer (KeyVID, section 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor


def scale_curve(curve: Tensor) -> Tensor:
    """Scale each curve (..., t) to [0, 1] by its own least and greatest value; a constant curve becomes zeros."""
    lowest = curve.amin(dim=-1, keepdim=True)
    height = curve.amax(dim=-1, keepdim=True) - lowest
    return (curve - lowest) / torch.where(height > 0, height, torch.ones_like(height))


def curve_label(curve: Tensor | ArrayLike, num_frames: int = 48, *, drop_first: bool = False) -> Tensor:
    """Make a target of a motion curve: linear interpolation to `num_frames`, then `scale_curve`.

    Args:
        curve: (..., t) motion scores of the clip, any t of at least 2 (3 with `drop_first`).
        num_frames: Values wanted.
        drop_first: Leave the first value out, as the original does.

    Returns:
        (..., num_frames) float32 in [0, 1].

    Raises:
        ValueError: If the curve is too short or not finite.
    """
    values = torch.as_tensor(curve, dtype=torch.float32)
    if values.ndim == 0 or values.shape[-1] < 2 + drop_first:
        raise ValueError(f"`curve` must hold at least {2 + drop_first} values, got shape {tuple(values.shape)}.")
    if not bool(torch.isfinite(values).all()):
        raise ValueError("`curve` must be finite, got NaN or infinity.")
    values = values[..., int(drop_first) :]
    flat = values.reshape(-1, 1, values.shape[-1])
    resized = F.interpolate(flat, size=num_frames, mode="linear", align_corners=True)
    return scale_curve(resized.reshape(*values.shape[:-1], num_frames))


def mel_label(mel: Tensor, num_frames: int = 48, *, mel_frames: int = 198) -> Tensor:
    """Auxiliary target: mean of the mel over its bins, treated like the motion curve.

    Args:
        mel: (b, 1, f, n) normalised mel.
        num_frames: Values wanted.
        mel_frames: Leave out what follows, the padding of a two-second sound.

    Returns:
        (b, num_frames) in [0, 1].
    """
    return curve_label(mel[..., :mel_frames].float().mean(dim=(1, 2)), num_frames, drop_first=True)


def localizer_loss(
    prediction: Tensor, curve: Tensor, mel_curve: Tensor | None = None, aux_weight: float = 0.3
) -> Tensor:
    """Squared error against the motion curve and, weaker, against the loudness curve.

    ``mean((p - curve)^2) + aux_weight * mean((p - mel_curve)^2)``

    Args:
        prediction: (b, t) output of the localizer.
        curve: (b, t) target, see `curve_label`.
        mel_curve: (b, t) auxiliary target, see `mel_label`; None leaves the second term out.
        aux_weight: Weight of the second term; the original uses 0.3.

    Returns:
        Scalar loss in float32.

    Raises:
        ValueError: If the shapes differ.
    """
    for name, target in (("curve", curve), ("mel_curve", mel_curve)):
        if target is not None and target.shape != prediction.shape:
            raise ValueError(
                f"`{name}` must have the prediction's shape {tuple(prediction.shape)}, got {tuple(target.shape)}."
            )
    loss = F.mse_loss(prediction.float(), curve.float())
    if mel_curve is None or aux_weight == 0:
        return loss
    return loss + aux_weight * F.mse_loss(prediction.float(), mel_curve.float())
