"""How AVSyncD hears: one sequence of ImageBind tokens, and a mask of those that each video frame attends to.

The class token is always on. The columns of a frame are a window that the released weights were trained with; for 12
frames over 19 columns its windows are two wide and overlap::

    frame       0  0  1  1/2 2 ...      "official": starts 0 2 3 5 6 8 9 11 12 14 15 17
    column      0  1  2   3  4 ...      "split":    every column belongs to the one frame that its centre lies in
"""

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from asva_audio.filterbank import filterbank
from asva_audio.mel import normalised_mel

SegmentWindow = Literal["official", "split"]
# The clip that AVSyncD was trained on, in samples at 16 kHz.
CLIP_SAMPLES, MEL_FRAMES = 32000, 204


def segment_tokens(encoder: Any, mel: Tensor) -> Tensor:
    """All tokens of the last block, normalised without weights (AVSyncD, section 4; the released code).

    Other encoders may stand in for ImageBind's, such as BEATs or CLAP; the mean of their tokens takes the place of the
    class token.

    For "no sound" pass :func:`asva_audio.null_mel`. In training mode the encoder's drop path is active, as it was in
    the original training; call ``encoder.eval()`` for anything else.

    Args:
        encoder: ImageBind's tower, ``stride=10`` for the 12 x 19 grid of AVSyncD.
        mel: What its ``spectrogram`` makes.

    Returns:
        (b, n, d) tokens, class token first; n = 229 for AVSyncD.
    """
    tokens = encoder(mel).last_hidden_state
    if not encoder.config.get("class_token"):
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
    return F.layer_norm(tokens, tokens.shape[-1:], eps=1e-6)


def segment_mask(num_segments: int, grid: tuple[int, int], *, window: SegmentWindow = "official") -> Tensor:
    """Which tokens each segment of time (a video frame) attends to.

    - ``"official"``: windows of ``ceil(t / num_segments)`` columns at evenly spread starts, rounded half to even; they
      overlap where the numbers do not divide. What the released weights were trained with.
    - ``"split"``: no overlap, each column once (AVSyncD, section 4: the tokens are divided by time).

    Args:
        num_segments: Number of segments, normally of video frames.
        grid: (frequency, time) patches of the encoder.
        window: Which of the rules above.

    Returns:
        (num_segments, 1 + f * t) bool, True = attend; the class token first, which every segment gets.

    Raises:
        ValueError: If ``num_segments`` or ``grid`` is not positive, ``window`` is unknown, or ``"split"`` would leave
            a segment without a column.

    Example:
        >>> segment_mask(12, (12, 19)).sum(1).tolist()
        [25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25]
    """
    if num_segments < 1:
        raise ValueError(f"`num_segments` must be at least 1, got {num_segments}.")
    if len(grid) != 2 or min(grid) < 1:
        raise ValueError(f"`grid` must be two positive numbers (frequency, time), got {tuple(grid)}.")
    if window not in ("official", "split"):
        raise ValueError(f'`window` must be "official" or "split", got {window!r}.')
    if window == "split" and num_segments > grid[1]:
        raise ValueError(
            f'`num_segments` must be at most the {grid[1]} columns of the grid for window="split", got '
            f'{num_segments}, which leaves a frame without a token; use window="official".'
        )
    return _mask(num_segments, *grid, window).clone()


def encoder_segment_mask(encoder: Any, mel: Tensor, num_segments: int, *, window: SegmentWindow = "official") -> Tensor:
    """:func:`segment_mask` for the tokens of any encoder that tells their times.

    Args:
        encoder: Its ``token_times`` are those of columns.
        mel: What its ``spectrogram`` makes.
        num_segments: Number of segments.
        window: As of :func:`segment_mask`.

    Returns:
        (num_segments, 1 + n) bool.
    """
    starts, columns = encoder.token_times(mel)[:, 0].unique(return_inverse=True)
    by_column = segment_mask(num_segments, (1, len(starts)), window=window)
    return torch.cat([by_column[:, :1], by_column[:, 1 + columns.cpu()]], dim=1)


def avsyncd_mel(waveform: Tensor) -> Tensor:
    """Mel of one sound as the released AVSyncD code makes it: the middle 2 s of the first channel.

    Args:
        waveform: (c, s) sound at 16 kHz; ``load_audio(..., stereo="official", mono=False)`` for released weights.

    Returns:
        (1, 1, 128, 204) normalised mel.

    Raises:
        ValueError: If the shape is not (c, s), or the sound is shorter than 25 ms.
    """
    if waveform.ndim != 2:
        raise ValueError(f"`waveform` must have shape (c, s), got {tuple(waveform.shape)}.")
    surplus = max(0, waveform.shape[-1] - CLIP_SAMPLES) // 2
    clip = waveform[:, surplus : surplus + CLIP_SAMPLES].float()
    # Summed by channel, so that the last bit does not depend on the number of threads; quiet bands show it.
    clip = clip[:1] - clip.sum(-1).sum() / clip.numel()
    log_mel = filterbank(clip, sample_rate=16000, num_mel_bins=128, window="hanning")
    return normalised_mel(log_mel, MEL_FRAMES)


@lru_cache(maxsize=64)
def _mask(num_segments: int, frequency: int, time: int, window: SegmentWindow) -> Tensor:
    columns = (_official_columns if window == "official" else _split_columns)(num_segments, time)
    body = torch.from_numpy(columns)[:, None, :].expand(-1, frequency, -1).flatten(1)
    return F.pad(body, (1, 0), value=True)


def _official_columns(num_segments: int, time: int) -> np.ndarray:
    width = -(-time // num_segments)
    starts = np.round(np.linspace(0, time - width, num_segments))[:, None]
    return (np.arange(time) >= starts) & (np.arange(time) < starts + width)


def _split_columns(num_segments: int, time: int) -> np.ndarray:
    owner = (2 * np.arange(time) + 1) * num_segments // (2 * time)
    return owner == np.arange(num_segments)[:, None]
