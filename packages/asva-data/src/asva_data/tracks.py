"""Decoding one track of a file frame by frame, with seeks that are trusted only when they land right."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any, NamedTuple

import av

from asva_weights.limits import limits

from .clip import MediaError
from .media import exact_headers, open_media, picture_track, sound_track

SEEK_FROM = 10.0  # seconds; before this, decoding from the start is as fast and always exact
PREROLL = 2.0  # seconds decoded and dropped after a seek, so that codecs find their feet


class PicturePacket(NamedTuple):
    """One coded frame: its time on the file's clock in seconds, whether an edit list hides it, if it is a keyframe."""

    time: float | None
    discard: bool
    keyframe: bool


def picture_packets(path: str | os.PathLike) -> list[PicturePacket]:
    """The coded frames of the picture in order of decoding, read without decoding."""
    with open_media(path) as container:
        packets = [packet for packet in container.demux(picture_track(container, path)) if packet.size]
        times = [None if packet.pts is None else float(packet.pts * packet.time_base) for packet in packets]
        flags = [(packet.is_discard, packet.is_keyframe) for packet in packets]
        return [PicturePacket(time, *flag) for time, flag in zip(times, flags, strict=True)]


def first_time(path: str | os.PathLike, kind: str) -> float | None:
    """Seconds on the file's clock of the first frame that really comes out of a track; priming is not one."""
    for frame in decode(path, kind):
        return None if frame.pts is None else float(frame.pts * frame.time_base)
    return None


def decode(path: str | os.PathLike, kind: str, target: float | None = None) -> Generator[Any]:
    """Decode one track from the start, or from somewhere before `target` seconds on the file's clock.

    A seek is trusted only if the first frame lies before the target; else the track is decoded from its start.
    """
    if target is not None and target > SEEK_FROM:
        frames = _decode(path, kind, target - PREROLL)
        first = next(frames, None)
        if first is not None and first.pts is not None and float(first.pts * first.time_base) <= target:
            yield first
            yield from frames
            return
        frames.close()
    yield from _decode(path, kind, None)


def _decode(path, kind, seek) -> Generator[Any]:
    with open_media(path) as container:
        track = picture_track(container, path) if kind == "video" else sound_track(container)
        track.codec_context.options = {"max_pixels": str(limits().pixels)}  # frames may grow on the way
        # Threads of a decoder do not survive a fork, and readers run in parallel over files anyway.
        track.codec_context.thread_count, track.codec_context.thread_type = 1, "NONE"
        if seek is not None:
            try:
                container.seek(int(seek * av.time_base), backward=True)
            except av.error.FFmpegError:
                return
        checked = container.format.name != "mpegts"  # whose packets are marked at every lost byte
        end = 0.0
        for packet in container.demux(track):
            if packet.is_corrupt and checked:
                raise MediaError(f"`path` must be a whole media file, got {path}, which is damaged or cut short.")
            for frame in packet.decode():
                yield frame
                if frame.pts is not None:
                    end = float((frame.pts + (frame.duration or 0)) * frame.time_base)
        _check_end(path, track, end)


def _check_end(path, track, end) -> None:
    """A download that stopped at a packet's end leaves no other trace than a header that promised more."""
    if not track.duration or not exact_headers(track.container):
        return
    promised = float((track.duration + (track.start_time or 0)) * track.time_base)
    if end < promised - max(0.5, 0.05 * promised):
        raise MediaError(
            f"`path` must be a whole media file, got {path}, which ends at {end:.2f} s instead of {promised:.2f} s."
        )
