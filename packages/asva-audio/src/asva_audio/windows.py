"""Tokens that carry the seconds they hear, and which a frame attends to (open-domain, section 4, audio window)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# A spectrogram frame is 25 ms long and begins 10 ms after the one before.
FRAME_SHIFT, FRAME_LENGTH = 0.010, 0.025
# Edges closer than this to the centre of a token, in seconds, count as equal: (i + 1) / fps, computed in float32 or by
# two neighbouring windows, must not leave a token to both or to none. A sixth of a sample at 16 kHz.
SAME_TIME = 1e-5


@dataclass(frozen=True, eq=False)
class TimedTokens:
    """A sequence of audio tokens, each with the piece of sound that it comes from.

    Class tokens, which hear everything, are left out.

    Attributes:
        tokens: (b, n, d).
        times: (n, 2) float64, seconds from the start of the sound where the piece of each token begins and ends.
    """

    tokens: Tensor
    times: Tensor

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3 or self.times.shape != (self.tokens.shape[1], 2):
            raise ValueError(
                f"`times` must have shape (n, 2) for tokens (b, n, d), "
                f"got {tuple(self.times.shape)} for {tuple(self.tokens.shape)}."
            )

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "TimedTokens":
        """The same on another device; ``dtype`` is that of the tokens, times stay as exact as they are."""
        return TimedTokens(self.tokens.to(device=device, dtype=dtype), self.times.to(device=device))

    def mask(self, frame_times: Tensor, radius: float) -> Tensor:
        """:func:`window_mask` of these tokens."""
        return window_mask(self.times, frame_times, radius)


def frame_times(frame_indices: Tensor | int, fps: float) -> Tensor:
    """Centres of video frames in seconds, ``(i + 0.5) / fps``.

    Args:
        frame_indices: (t,) or (b, t) indices in the clip (keyframes, say), or the number t of frames, all wanted.
        fps: Frames per second of the clip that the indices count.

    Returns:
        Float64 seconds in the shape of ``frame_indices``.

    Raises:
        ValueError: If ``fps`` is not positive or there is no frame.

    Example:
        >>> frame_times(3, 6).tolist()
        [0.08333333333333333, 0.25, 0.4166666666666667]
    """
    if not fps > 0 or math.isinf(fps):
        raise ValueError(f"`fps` must be a positive number, got {fps}.")
    indices = torch.arange(frame_indices) if isinstance(frame_indices, int) else frame_indices
    if indices.numel() == 0:
        raise ValueError(f"`frame_indices` must name at least one frame, got {frame_indices}.")
    return (indices.double() + 0.5) / fps


def window_mask(token_times: Tensor, frame_times: Tensor, radius: float) -> Tensor:
    """Which tokens lie in the window of each frame (open-domain, section 4: audio window attention).

    A token belongs to a frame if its centre c satisfies ``frame_time - radius <= c < frame_time + radius``: a token on
    the edge between two windows belongs to the later one. So ``radius = 0.5 / fps`` gives every token to exactly one
    of the frames ``(i + 0.5) / fps``, and larger radii let neighbours share; the paper's best is ``1.5 / fps``.

    Args:
        token_times: (n, 2) seconds, start and end of what each token hears.
        frame_times: (t,) or (b, t) seconds, in any order and at any distance (:func:`asva_audio.frame_times`).
        radius: Half the width of a window in seconds.

    Returns:
        (t, n) or (b, t, n) bool, True = attend, on the device of ``token_times``.

    Raises:
        ValueError: If a shape is wrong, a time is not finite, ``radius`` is not positive, or a window is empty.
    """
    if token_times.ndim != 2 or token_times.shape[-1] != 2:
        raise ValueError(f"`token_times` must have shape (n, 2), got {tuple(token_times.shape)}.")
    if frame_times.ndim not in (1, 2):
        raise ValueError(f"`frame_times` must have shape (t,) or (b, t), got {tuple(frame_times.shape)}.")
    if not radius > 0 or math.isinf(radius):
        raise ValueError(f"`radius` must be a positive number of seconds, got {radius}.")
    frames = frame_times.to(token_times.device).double()
    if not (frames.isfinite().all() and token_times.isfinite().all()):
        raise ValueError("`frame_times` and `token_times` must be finite, got NaN or infinity.")
    offset = token_times.double().mean(-1) - frames[..., None]
    mask = (offset >= -radius - SAME_TIME) & (offset < radius - SAME_TIME)
    if not mask.any(-1).all():
        _raise_empty(offset, mask, frames, radius)
    return mask


def patch_times(num_patches: int, *, size: int, stride: int) -> Tensor:
    """(num_patches, 2) float64 seconds that each column of spectrogram patches hears, first sample to last.

    Args:
        num_patches: Number of columns.
        size: Width of a patch in spectrogram frames of 10 ms.
        stride: Step between columns in spectrogram frames.
    """
    first = torch.arange(num_patches, dtype=torch.float64) * stride
    return torch.stack((first * FRAME_SHIFT, (first + size - 1) * FRAME_SHIFT + FRAME_LENGTH), dim=-1)


def _raise_empty(offset: Tensor, mask: Tensor, frames: Tensor, radius: float) -> None:
    if offset.shape[-1] == 0:
        raise ValueError("`token_times` must hold at least one token, got none.")
    empty = ~mask.any(-1)
    needed = float(offset.abs().amin(-1).max())
    raise ValueError(
        f"`radius` must leave every frame a token, got {radius:g} s, whose window is empty for {int(empty.sum())} of "
        f"{empty.numel()} frames (the first at {float(frames[empty][0]):g} s); take more than {needed:.3g} s, "
        "fewer frames per second or an encoder with a finer grid."
    )
