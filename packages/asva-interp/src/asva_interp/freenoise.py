"""FreeNoise: shuffled noise and weighted windows for more frames than trained on (arXiv 2310.15169; KeyVID, 3.4).

KeyVID's paper names it, its released code does not run it: this is the paper's text, an option.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

View = tuple[int, int]


def window_views(num_frames: int, size: int = 12, stride: int = 6) -> list[View]:
    """Windows ``[start, end)`` that cover all frames; the last one is moved back so that it ends with the clip.

    Raises:
        ValueError: If a number is below 1 or the stride leaves gaps.

    >>> window_views(26)
    [(0, 12), (6, 18), (12, 24), (14, 26)]
    """
    if min(num_frames, size, stride) < 1:
        raise ValueError(f"`num_frames`, `size` and `stride` must be at least 1, got {num_frames}, {size}, {stride}.")
    if stride > size:
        raise ValueError(f"`stride` must be at most `size` ({size}), got {stride}.")
    size = min(size, num_frames)
    starts = list(range(0, num_frames - size + 1, stride))
    if starts[-1] + size < num_frames:
        starts.append(num_frames - size)
    return [(start, start + size) for start in starts]


def window_weights(size: int) -> Tensor:
    """Weight of each frame of a window, rising to the middle: 1, 2, ..., 6, 6, ..., 2, 1 for a size of 12."""
    rising = torch.arange(1, size + 1, dtype=torch.float32)
    return torch.minimum(rising, rising.flip(0))


def fuse_windows(outputs: Sequence[Tensor], views: Sequence[View], num_frames: int) -> Tensor:
    """Join overlapping windows by their weighted mean.

    Args:
        outputs: (b, size, ...) one per window.
        views: Their places.
        num_frames: Number of frames t.

    Returns:
        (b, t, ...).

    Raises:
        ValueError: If the windows do not cover every frame, or there are not as many outputs.
    """
    if len(outputs) != len(views):
        raise ValueError(f"`outputs` must be one per window ({len(views)}), got {len(outputs)}.")
    total = outputs[0].new_zeros(len(outputs[0]), num_frames, *outputs[0].shape[2:])
    weight = outputs[0].new_zeros(num_frames)
    for output, (start, end) in zip(outputs, views, strict=True):
        share = window_weights(end - start).to(output)
        total[:, start:end] += output * share.view(-1, *[1] * (output.ndim - 2))
        weight[start:end] += share
    if (weight == 0).any():
        raise ValueError(f"`views` must cover all {num_frames} frames, got {list(views)}.")
    return total / weight.view(-1, *[1] * (total.ndim - 2))


def shuffle_noise(
    noise: Tensor, size: int = 12, stride: int = 6, *, generator: torch.Generator | None = None
) -> Tensor:
    """Make all noise of the first window's frames: every following block of `stride` frames is the one a window
    earlier, in another order (FreeNoise, section 3.2).

    Args:
        noise: (b, t, ...) noise; its first `size` frames are kept.
        size: Frames of a window.
        stride: Frames of a block.
        generator: CPU generator of the orders; a fresh one without it.

    Returns:
        (b, t, ...).
    """
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    noise, num_frames = noise.clone(), noise.shape[1]
    for start in range(size, num_frames, stride):
        count = min(stride, num_frames - start)
        order = torch.randperm(stride, generator=generator)[:count].to(noise.device)
        noise[:, start : start + count] = noise[:, order + (start - size)]
    return noise


def windowed(predict: Callable[..., Tensor], views: Sequence[View]) -> Callable[..., Tensor]:
    """A network call that runs on windows and fuses their answers.

    Args:
        predict: ``predict(sample, timestep, branches, view)`` answers for the frames of one window.
        views: The windows, see :func:`window_views`.

    Returns:
        ``call(sample, timestep, branches)`` as :func:`asva_unet.denoise` wants it.
    """

    def call(sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
        outputs = [predict(sample[:, start:end], timestep, branches, (start, end)) for start, end in views]
        return fuse_windows(outputs, views, sample.shape[1])

    return call
