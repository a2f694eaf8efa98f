"""What the headers of a video say, and the clock that its tracks share."""

from __future__ import annotations

import os
from dataclasses import dataclass

import av

from .clip import MediaError
from .media import exact_headers, open_media, picture_track, sound_track
from .tracks import first_time


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
        sample_rate: Samples per second of the sound track, or None (also where the headers are silent).
        sound_end: Seconds from time zero to the end of the sound, or None where the headers are silent.
        zero: Seconds on the file's own clock that are time zero: where its first track starts.
        start: Seconds from time zero to the first frame.
        sound_start: The same of the sound, what its encoder puts before it counted; 0 without any.
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
    sound_start: float = 0.0


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
        start, sound_start = (0.0 if first is None else first - zero for first in starts)
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
            sample_rate=(audio.rate or None) if audio is not None else None,
            sound_end=_sound_end(audio, zero) if exact_headers(container) else None,
            zero=zero,
            start=start,
            sound_start=sound_start,
        )


def shared_seconds(path: str | os.PathLike, info: MediaInfo | None = None) -> float:
    """Seconds for which a file has both picture and sound, or picture if it is silent.

    Raises:
        MediaError: If the file cannot be read or does not say how long it is.
    """
    info = info or probe(path)
    if info.duration is None:
        raise MediaError(f"`path` must say how long it is, got {path}; convert it to MP4.")
    return min(info.duration, info.sound_end) if info.has_sound and info.sound_end else info.duration


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
