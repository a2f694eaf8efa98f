"""The sound of a video as float samples on the clock of its picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from asva_weights.limits import check_sound, limits

from .clip import MediaError
from .info import MediaInfo
from .tracks import decode

if TYPE_CHECKING:
    import torch

LAST_BLOCK = 4096  # samples; no codec pads more than this to fill its last block
GAP = 0.05  # seconds; smaller jumps of the time stamps are rounding of the container
PLANES = 8  # from so many channels on, PyAV reads beyond the list of their planes: the process may die of it


def read_sound(
    path: str | os.PathLike, info: MediaInfo, start: float = 0.0, duration: float | None = None
) -> tuple[np.ndarray, int]:
    """Decode the sound track at its own rate.

    Args:
        path: A file with a sound track.
        info: What `probe` says of the file.
        start: Seconds from time zero to the first sample wanted; silence fills what lies before the track.
        duration: Seconds wanted, or None for all; no silence is added after the track.

    Returns:
        (c, s) float32 and the sample rate.

    Raises:
        MediaError: If the track is damaged, empty, holds NaN, or changes its rate or channels midway.
    """
    pieces: list[np.ndarray] = []
    rate = channels = position = 0
    first, stop, cursor = 0, None, None
    for frame in decode(path, "audio", info.zero + start):
        check_sound(frame.sample_rate, frame.layout.nb_channels, path, MediaError)
        samples = to_float(frame)
        if not rate:
            rate, channels = frame.sample_rate, len(samples)
            first = round(start * rate)
            stop = None if duration is None else first + round(duration * rate)
            position = first
        if (frame.sample_rate, len(samples)) != (rate, channels):
            raise MediaError(f"`path` must keep one sample rate and channel count, got {path}; convert it first.")
        begin = cursor or 0 if frame.pts is None else round((float(frame.pts * frame.time_base) - info.zero) * rate)
        if cursor is not None and abs(begin - cursor) < GAP * rate:
            begin = cursor  # blocks follow one another to the sample; their time stamps may be rounded
        cursor = begin + samples.shape[1]
        if 4 * channels * (min(cursor, stop or cursor) - first) > limits().held:
            raise MediaError(f"`path` must hold at most {limits().held >> 30} GiB of sound, got {path}; cut it.")
        if stop is not None and begin >= stop:
            position = _place(pieces, samples[:, :0], stop, position, channels)  # the track goes on after the cut
            break
        position = _place(pieces, samples, begin, position, channels)
    if not rate:
        raise MediaError(f"`path` must have sound in its sound track, got {path}, whose track is empty.")
    waveform = np.concatenate(pieces, axis=1) if pieces else np.zeros((channels, 0), np.float32)
    waveform = waveform[:, : _length(info, rate, first, stop, position)]
    if not np.isfinite(waveform).all():
        raise MediaError(f"`path` must have finite sound, got NaN or infinite samples in {path}.")
    return waveform, rate


def load_sound(
    load_audio: Callable[..., Any], path: str | os.PathLike, start: float, duration: float
) -> tuple[torch.Tensor, int]:
    """The sound of a clip by a reader of the user's, such as ``asva_audio.load_audio``, and its rate.

    Raises:
        MediaError: If the reader cannot read it.
    """
    try:
        audio = load_audio(path, start=start, duration=duration)
    except ValueError as error:  # the reader's own word for a track it cannot read
        raise MediaError(str(error)) from error
    import torch

    return torch.as_tensor(audio.waveform), audio.sample_rate


def to_float(frame: av.AudioFrame) -> np.ndarray:
    """Samples of a decoded frame as (c, s) float32 in [-1, 1], for packed and planar formats of any depth."""
    if frame.format.is_planar and frame.layout.nb_channels >= PLANES:
        frame = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate).resample(frame)[0]
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(frame.samples, -1).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return (samples / float(2 ** (8 * samples.dtype.itemsize - 1))).astype(np.float32)
    return samples.astype(np.float32)


def _place(pieces, samples, begin, position, channels) -> int:
    """Append what lies at or after `position`, with silence for a gap; returns the new position."""
    end = begin + samples.shape[1]
    if end < position:
        return position
    if begin > position:
        pieces.append(np.zeros((channels, begin - position), np.float32))
    pieces.append(samples[:, max(position - begin, 0) :])
    return end


def _length(info, rate, first, stop, position) -> int:
    """Samples to keep: not beyond `stop`, nor beyond the end that the header names inside the last coded block."""
    end = position if stop is None else min(stop, position)
    if info.sound_end is not None and 0 < position - round(info.sound_end * rate) < LAST_BLOCK:
        end = min(end, round(info.sound_end * rate))
    return max(end - first, 0)
