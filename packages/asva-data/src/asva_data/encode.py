"""Writing H.264 + AAC: sound and picture end together, and the file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from .clip import MediaError
from .draft import FULL, draft_of
from .encode_check import (
    CONTAINERS,
    LAYOUTS,
    check_frames,
    check_metadata,
    check_sound,
    check_target,
    frame_rate,
)

BLOCK = 1024  # samples of one AAC frame
BT709 = 1  # the number of BT.709 in each of the three colour tables of H.264


def write_video(
    path: str | os.PathLike,
    frames: np.ndarray | Iterable[np.ndarray],
    *,
    fps: float | Fraction,
    waveform: np.ndarray | None = None,
    sample_rate: int | None = None,
    crf: int = 18,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write frames and sound as H.264 (yuv420p, BT.709) and AAC.

    The sound is cut or filled with silence to end with the last frame. The file is written under a temporary name in
    the same folder and then moved, so `path` holds a whole file or what it held before. The same input gives the same
    bytes on the same machine (one thread, no dates).

    Args:
        path: Target; the ending chooses the container: .mp4, .m4v, .mov or .mkv. The folder must exist.
        frames: (t, h, w, 3) uint8 RGB, or an iterable of (h, w, 3), which is streamed. Even height and width.
        fps: Frames per second. 29.97 and its like are read as 30000/1001.
        waveform: (c, s) or (s,) floats, nominally in [-1, 1]; None for a silent video.
        sample_rate: Samples per second of `waveform`; one of the rates of AAC.
        crf: Quality of x264, 0 (lossless) to 51; 18 is visually transparent.
        metadata: Tags of the file, such as ``{"title": "..."}``.

    Returns:
        The path written.

    Raises:
        MediaError: For an unfit argument, a missing folder, or a disk that refuses.
        OSError: If the disk is full.
    """
    path = check_target(path)
    rate = frame_rate(fps)
    sound = check_sound(waveform, sample_rate)
    if isinstance(crf, bool) or not isinstance(crf, int) or not 0 <= crf <= 51:
        raise MediaError(f"`crf` must be an integer from 0 to 51, got {crf!r}.")
    tags = check_metadata(metadata)
    pictures = check_frames(frames)
    first = next(pictures, None)
    if first is None:
        raise MediaError("`frames` must hold at least one frame, got none.")
    kind, pictures = CONTAINERS[path.suffix.lower()], chain([first], pictures)
    try:
        with draft_of(path) as part:
            _encode(part, kind, pictures, rate, sound, sample_rate, crf, tags)
    except (av.error.FFmpegError, PermissionError) as error:
        if error.errno in FULL:
            raise OSError(error.errno, error.strerror, str(path)) from error
        reason = error.strerror or str(error)
        raise MediaError(f"`path` could not be written: {reason}, got {path}; free space or choose another.") from error
    return path


def _encode(part, container_format, frames, rate, sound, sample_rate, crf, tags) -> None:
    options = {"fflags": "+bitexact"}
    if container_format != "matroska":
        options["movflags"] = "+faststart"
    first = next(frames)
    with av.open(str(part), "w", format=container_format, options=options) as container:
        container.metadata.update(tags)
        video = _add_picture(container, first.shape, rate, crf)
        audio = _add_sound(container, sound, sample_rate)
        reformatter = VideoReformatter()
        written = 0
        for index, frame in enumerate(chain([first], frames)):
            container.mux(video.encode(_to_yuv(reformatter, frame, index, rate)))
            stop = _samples(index + 1, rate, sample_rate) // BLOCK * BLOCK
            written = _mux_sound(container, audio, sound, written, stop, sample_rate)
        container.mux(video.encode(None))
        _mux_sound(container, audio, sound, written, _samples(index + 1, rate, sample_rate), sample_rate)
        if audio is not None:
            container.mux(audio.encode(None))


def _add_picture(container, shape, rate, crf):
    # x264's macroblock tree reads memory that nobody wrote: now and then the same frames gave other bytes.
    options = {"crf": str(crf), "preset": "medium", "x264-params": "mbtree=0"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / rate
    # One thread: the bytes do not depend on the machine's cores, and no thread pool is left to a forked child.
    context.thread_count, context.thread_type = 1, "NONE"
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = ColorRange.MPEG
    return stream


def _add_sound(container, sound, sample_rate):
    if sound is None:
        return None
    channels = len(sound)
    stream = container.add_stream("aac", rate=sample_rate, layout=LAYOUTS[channels])
    stream.codec_context.bit_rate = channels * min(128_000, 6 * sample_rate)
    return stream


def _to_yuv(reformatter, frame, index, rate):
    picture = reformatter.reformat(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )
    picture.pts, picture.time_base, picture.duration = index, 1 / rate, 1
    return picture


def _samples(num_frames, rate, sample_rate) -> int:
    return round(num_frames * (sample_rate or 0) / rate)


def _mux_sound(container, stream, sound, start, stop, sample_rate) -> int:
    """Encode samples `start` to `stop`, silence where the sound is over; returns `stop`."""
    for begin in range(start, stop if stream is not None else start, BLOCK):
        block = np.zeros((len(sound), min(BLOCK, stop - begin)), np.float32)
        piece = sound[:, begin : begin + block.shape[1]]
        block[:, : piece.shape[1]] = piece
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=LAYOUTS[len(sound)])
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, begin, Fraction(1, sample_rate)
        container.mux(stream.encode(frame))
    return max(start, stop)
