"""The decord backend: the kinds of file it reads exactly, and a clear refusal of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from math import inf

import numpy as np

from .clip import MediaError, Picture
from .decode_pyav import display_matrix
from .info import MediaInfo
from .tracks import PicturePacket, decode, picture_packets

CONTAINERS = ("mov", "matroska")
CODECS = ("h264", "vp9", "vp8", "libdav1d", "av1", "mjpeg", "ffv1")


def decord_pictures(path: str | os.PathLike, info: MediaInfo, start: float) -> Iterator[Picture]:
    """Frames by decord, time stamps by PyAV: decord's own restart at zero in every file.

    Raises:
        MediaError: If decord is not installed, or misreads this kind of file.
    """
    decord = _load()
    times = _times(path, info)
    try:
        reader = decord.VideoReader(f"file:{path}", ctx=decord.cpu(0), num_threads=1)
        if len(reader) != len(times):
            raise _refusal(path, f"a file of which decord sees {len(reader)} of {len(times)} frames")
        for index, time in enumerate(times):
            end = times[index + 1] if index + 1 < len(times) else time + 1 / info.fps
            if end > start:
                yield Picture(time, end, lambda index=index: _unpadded(reader[index].asnumpy()))
    except decord.DECORDError as error:
        raise MediaError(f"`path` must be a whole media file, got {path}, which decord cannot decode.") from error


def _unpadded(rows: np.ndarray) -> np.ndarray:
    """The colours of a frame, whose rows decord takes for more channels where FFmpeg pads them: `(height, width, 3)`.

    Seen on processors with AVX-512, where rows are padded to 64 bytes: 96 pixels come as four channels, 16 as twelve.
    """
    height, width, _ = rows.shape
    return np.ascontiguousarray(rows.reshape(height, -1)[:, : 3 * width]).reshape(height, width, 3)


def _load():
    try:
        import decord
    except ImportError as error:
        raise MediaError("`backend` must be 'pyav' here, got 'decord', which is not installed.") from error
    return decord


def _times(path, info: MediaInfo) -> list[float]:
    """Times of the frames in order, after every known kind of misread file is refused."""
    if not any(name in info.container for name in CONTAINERS):
        raise _refusal(path, f"the container {info.container}")  # MPEG-TS: 47 of 48 frames at wrong places
    if info.codec not in CODECS:
        raise _refusal(path, f"the codec {info.codec}")  # HEVC, MPEG-2 and -4: wrong frames after a seek
    if info.zero or info.start:
        raise _refusal(path, "a track that does not start at zero")
    if info.pixel_aspect != 1:
        raise _refusal(path, "pixels that are not square")
    packets = picture_packets(path)
    if any(packet.discard for packet in packets):
        raise _refusal(path, "an edit list that hides frames")  # hidden frames are shown, times are negative
    if any(packet.time is None for packet in packets):
        raise _refusal(path, "frames without time stamps")
    if _has_open_groups(packets):
        raise _refusal(path, "groups of pictures that are open")  # wrong frames after a seek
    for first in islice(decode(path, "video"), 1):
        _check_picture(path, first)
    return sorted(packet.time for packet in packets)


def _has_open_groups(packets: list[PicturePacket]) -> bool:
    """Whether a frame is shown before the keyframe after which it is decoded."""
    shown = -inf
    for packet in packets:
        shown = packet.time if packet.keyframe else shown
        if packet.time < shown:
            return True
    return False


def _check_picture(path, frame) -> None:
    a, b, c, d = display_matrix(frame)
    if a * d - b * c < 0:
        raise _refusal(path, "a mirrored picture")
    if frame.interlaced_frame:
        raise _refusal(path, "interlaced pictures")
    if frame.format.components[0].bits > 8:  # converted otherwise, by up to 77 of 255
        raise _refusal(path, "pictures of more than 8 bits")


def _refusal(path, kind) -> MediaError:
    return MediaError(f"`backend` must be 'pyav' for {kind}, got 'decord', which misreads such a file: {path}.")
