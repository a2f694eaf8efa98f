"""Opening media files: their tracks, their common clock, and one clear error for each way they can be bad."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
from av.stream import Disposition

from .clip import MediaError

SEEK_FROM = 10.0  # seconds; before this, decoding from the start is as fast and always exact
PREROLL = 2.0  # seconds decoded and dropped after a seek, so that codecs find their feet
NOT_MEDIA = ("tty", "bin", "xbin", "adf", "idf")  # formats that draw text files as pictures


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What a file holds, as its headers say.

    Attributes:
        container: Names of the container format, as FFmpeg gives them.
        codec: Name of the picture's codec.
        height: Stored height in pixels, before any rotation.
        width: Stored width in pixels, before any rotation.
        pixel_aspect: Width of a pixel over its height.
        fps: Average frames per second.
        duration: Seconds from time zero to the end of the picture, or None where the headers are silent.
        has_sound: Whether there is a sound track.
        sample_rate: Samples per second of the sound track, or None.
        sound_end: Seconds from time zero to the end of the sound, or None where the headers are silent.
        zero: Seconds on the file's own clock that are time zero: where its first track starts.
        start: Seconds from time zero to the first frame.
    """

    container: str
    codec: str
    height: int
    width: int
    pixel_aspect: float
    fps: float
    duration: float | None
    has_sound: bool
    sample_rate: int | None
    sound_end: float | None
    zero: float
    start: float


def probe(path: str | os.PathLike) -> MediaInfo:
    """Read the headers of a video (and its first frame and sound, where the tracks do not start at zero).

    Raises:
        MediaError: If the file is missing, empty, not media, or has no picture.
    """
    with open_media(path) as container:
        video, audio = picture_track(container, path), sound_track(container)
        starts = (None, None)
        if any(track is not None and track.start_time != 0 for track in (video, audio)):
            starts = first_time(path, "video"), (first_time(path, "audio") if audio is not None else None)
        zero = min((start for start in starts if start is not None), default=0.0)
        start = (starts[0] or 0.0) - zero if starts[0] is not None else 0.0
        context = video.codec_context
        return MediaInfo(
            container=container.format.name,
            codec=context.name,
            height=context.height,
            width=context.width,
            pixel_aspect=float(video.sample_aspect_ratio or 1),
            fps=float(video.average_rate or video.guessed_rate or 25),
            duration=_duration(container, video, zero, start),
            has_sound=audio is not None,
            sample_rate=audio.rate if audio is not None else None,
            sound_end=_sound_end(audio, zero),
            zero=zero,
            start=start,
        )


@contextmanager
def open_media(path: str | os.PathLike) -> Iterator[av.container.InputContainer]:
    """Open a local file; FFmpeg's errors inside the block become MediaError."""
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"`path` must be an existing file, got {path}.")
    if path.stat().st_size == 0:
        raise MediaError(f"`path` must be a media file, got the empty file {path}.")
    try:
        # The prefix keeps a colon in a name from being read as a protocol; the list keeps playlists off the network.
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            if container.format.name in NOT_MEDIA:
                raise MediaError(f"`path` must be a media file, got {path}, which is text.")
            yield container
    except (av.error.FFmpegError, OSError) as error:
        reason = error.strerror or str(error)
        raise MediaError(f"`path` must be a whole media file, got {path}: {reason}.") from error


def picture_track(container, path):
    """The video track; the cover of a song is none."""
    if not len(container.streams):  # an mp4 that lost its index opens without an error
        raise MediaError(f"`path` must be a whole media file, got {path}, which is damaged or cut short.")
    track = container.streams.best("video")
    if track is None or Disposition.attached_pic in track.disposition or track.codec_context is None:
        raise MediaError(f"`path` must have a picture, got {path} without one; give a whole video.")
    return track


def sound_track(container):
    """The audio track, or None."""
    track = container.streams.best("audio")
    return None if track is None or track.codec_context is None else track


class PicturePacket(NamedTuple):
    """One coded frame: its time on the file's clock in seconds, and whether an edit list hides it."""

    time: float | None
    discard: bool


def picture_packets(path: str | os.PathLike) -> list[PicturePacket]:
    """The coded frames of the picture in order of decoding, read without decoding."""
    with open_media(path) as container:
        packets = [packet for packet in container.demux(picture_track(container, path)) if packet.size]
        return [PicturePacket(None if p.pts is None else float(p.pts * p.time_base), p.is_discard) for p in packets]


def first_time(path, kind: str) -> float | None:
    """Seconds on the file's clock of the first frame that really comes out of a track; priming is not one."""
    for frame in decode(path, kind):
        return None if frame.pts is None else float(frame.pts * frame.time_base)
    return None


def decode(path: str | os.PathLike, kind: str, target: float | None = None) -> Iterator[av.frame.Frame]:
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


def _decode(path, kind, seek) -> Iterator[av.frame.Frame]:
    with open_media(path) as container:
        track = picture_track(container, path) if kind == "video" else sound_track(container)
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
    if not track.duration or track.container.format.name == "mpegts":
        return
    promised = float((track.duration + (track.start_time or 0)) * track.time_base)
    if end < promised - max(0.5, 0.05 * promised):
        raise MediaError(
            f"`path` must be a whole media file, got {path}, which ends at {end:.2f} s instead of {promised:.2f} s."
        )


def _duration(container, video, zero, start) -> float | None:
    if video.duration:
        return start + float(video.duration * video.time_base)
    if container.duration:
        return container.duration / av.time_base + (container.start_time or 0) / av.time_base - zero
    return None


def _sound_end(audio, zero) -> float | None:
    if audio is None or not audio.duration:
        return None
    return float((audio.duration + (audio.start_time or 0)) * audio.time_base) - zero
