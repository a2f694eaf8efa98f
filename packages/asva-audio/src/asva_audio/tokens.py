"""Audio tokens grouped by video frame, as the paper says and as the released weights were trained.

The trunk orders its tokens class token, then bands, then columns. ``split_audio`` gives every segment the class token
and its columns of all bands (13 tokens for KeyVID). The original code then flattens the segments and regroups the
sequence by 12, so that its frames drift off their sound::

    segment   |C 1 2 ... 12|C 1 2 ... 12|C 1 2 ... 12|     "aligned": frame i hears segment i
    frame      |--- 0 ----||--- 1 ----||--- 2 ----| ...    "official": frame i hears tokens 12 i .. 12 i + 11
"""

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

Alignment = Literal["aligned", "official"]
Stage = Literal["keyframe", "interp"]


def split_audio(tokens: Tensor, num_segments: int, grid: tuple[int, int]) -> Tensor:
    """Cut the tokens of a sound into equally long, possibly overlapping segments of time.

    Args:
        tokens: (b, n, d) of the trunk, n = f * t of ``grid`` or one more with the class token first.
        num_segments: Number of segments, normally the number of video frames.
        grid: (frequency, time) patches of the trunk.

    Returns:
        (b, num_segments, l, d), l = f * ceil(t / num_segments), one more with a class token, which every segment gets.

    Raises:
        ValueError: If n fits ``grid`` neither with nor without a class token.
    """
    return tokens[:, _indices(tokens, num_segments, grid).to(tokens.device)]


def frame_audio_tokens(
    tokens: Tensor,
    frame_indices: Tensor | None = None,
    *,
    grid: tuple[int, int],
    num_frames: int = 48,
    alignment: Alignment = "aligned",
    stage: Stage = "keyframe",
) -> Tensor:
    """The audio tokens that each video frame attends to (KeyVID, section 3.3).

    - ``"aligned"``: the class token and the column of the frame, l = 13. What the paper describes.
    - ``"official"``, stage ``"keyframe"``: l = 12 consecutive tokens with the 13/12 slip of the released code; frame 47
      hears a moment 0.15 s too early.
    - ``"official"``, stage ``"interp"``: the same sequence as 52 groups of 12, resized linearly to the 48 frames.

    Args:
        tokens: (b, n, d) of the trunk, see :func:`split_audio`.
        frame_indices: (b, k) frames wanted, each in [0, num_frames), or None for all of them.
        grid: (frequency, time) patches of the trunk.
        num_frames: Number of frames that the sound spans.
        alignment: Which of the groupings above.
        stage: Which of the two diffusion stages asks; only ``"official"`` treats them differently.

    Returns:
        (b, k, l, d), or k = num_frames without ``frame_indices``.

    Raises:
        ValueError: If an option is unknown, a frame is outside the clip, or n does not fit ``grid``.

    Example:
        >>> tokens = torch.randn(1, 577, 64)
        >>> frame_audio_tokens(tokens, torch.tensor([[0, 7, 26]]), grid=(12, 48)).shape
        torch.Size([1, 3, 13, 64])
    """
    _check(alignment, stage, frame_indices, len(tokens), num_frames)
    indices = _indices(tokens, num_frames, grid).to(tokens.device)
    if alignment == "aligned":
        return _gather(tokens, indices, frame_indices)
    groups = indices.flatten()
    groups = groups[: len(groups) // grid[0] * grid[0]].view(-1, grid[0])
    if stage == "keyframe":
        return _gather(tokens, groups[:num_frames], frame_indices)
    frames = _resize_groups(tokens[:, groups], num_frames)
    return frames if frame_indices is None else _take(frames, frame_indices)


def _gather(tokens: Tensor, groups: Tensor, frame_indices: Tensor | None) -> Tensor:
    """(b, n, d) and (frames, l) -> (b, k, l, d)."""
    if frame_indices is None:
        return tokens[:, groups]
    chosen = groups[frame_indices.to(groups.device)]
    rows = torch.arange(len(tokens), device=tokens.device)[:, None, None]
    return tokens[rows, chosen]


def _take(frames: Tensor, frame_indices: Tensor) -> Tensor:
    rows = torch.arange(len(frames), device=frames.device)[:, None]
    return frames[rows, frame_indices.to(frames.device)]


def _resize_groups(groups: Tensor, num_frames: int) -> Tensor:
    """(b, g, l, d) -> (b, num_frames, l, d), linear, centres of samples aligned (``align_corners=False``)."""
    count = groups.shape[1]
    source = (torch.arange(num_frames, device=groups.device) + 0.5) * (count / num_frames) - 0.5
    source = source.clamp(0, count - 1)
    left = source.floor().long()
    right = (left + 1).clamp_max(count - 1)
    weight = (source - left).to(groups.dtype)[:, None, None]
    return groups[:, left] * (1 - weight) + groups[:, right] * weight


def _indices(tokens: Tensor, num_segments: int, grid: tuple[int, int]) -> Tensor:
    frequency, time = grid
    extra = tokens.shape[1] - frequency * time if tokens.ndim == 3 else -1
    if extra not in (0, 1):
        raise ValueError(
            f"`tokens` must have shape (b, n, d) with n = {frequency * time} or one more for the grid "
            f"{tuple(grid)}, got {tuple(tokens.shape)}."
        )
    if num_segments < 1:
        raise ValueError(f"`num_segments` must be at least 1, got {num_segments}.")
    return _segments(num_segments, frequency, time, extra)


@lru_cache(maxsize=64)
def _segments(num_segments: int, frequency: int, time: int, extra: int) -> Tensor:
    """(num_segments, extra + frequency * chunk) positions of each segment's tokens in the sequence."""
    chunk = -(-time // num_segments)
    starts = torch.linspace(0, time - chunk, num_segments).round().long()
    columns = starts[:, None] + torch.arange(chunk)
    bands = extra + torch.arange(frequency)[:, None] * time
    body = (bands + columns[:, None, :]).flatten(1)
    return torch.cat((body.new_zeros(num_segments, extra), body), dim=1)


def _check(alignment: str, stage: str, frame_indices: Tensor | None, batch: int, num_frames: int) -> None:
    if alignment not in ("aligned", "official"):
        raise ValueError(f'`alignment` must be "aligned" or "official", got {alignment!r}.')
    if stage not in ("keyframe", "interp"):
        raise ValueError(f'`stage` must be "keyframe" or "interp", got {stage!r}.')
    if frame_indices is None:
        return
    if frame_indices.ndim != 2 or len(frame_indices) != batch:
        raise ValueError(f"`frame_indices` must have shape ({batch}, k), got {tuple(frame_indices.shape)}.")
    low, high = (int(x) for x in frame_indices.aminmax())
    if low < 0 or high >= num_frames:
        raise ValueError(f"`frame_indices` must lie in [0, {num_frames - 1}], got {low} to {high}.")
