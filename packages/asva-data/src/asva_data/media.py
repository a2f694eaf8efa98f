"""Opening media files and finding their tracks, with one clear error for each way they can be bad."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from asva_weights.limits import limits

from .clip import MediaError

# Kinds of file that hold what they show. Playlists and descriptions of streams (hls, concat, sdp) could make FFmpeg
# open other files or addresses, whatever they are named, and some formats draw any text as a picture (tty, bin).
FORMATS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "mxf", "nut", "ogg", "ivf", "dv"),
    *("h264", "hevc", "obu", "m4v", "mjpeg", "yuv4mpegpipe", "gif", "apng"),
    *("wav", "w64", "mp3", "aac", "flac", "aiff", "au", "caf", "amr", "ac3", "eac3", "dts", "wv", "ape", "tta"),
)
PHOTOGRAPHS = ("heic", "heix", "heim", "heis", "mif1", "avif")  # in containers of videos; each tile would be a track
# Until 19 PyAV refuses tags that are not UTF-8 unless told otherwise; from then on it takes no such argument.
TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
OPENING = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}


@contextmanager
def open_media(path: str | os.PathLike) -> Generator[av.container.InputContainer]:
    """Open a local file; FFmpeg's errors inside the block become MediaError."""
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"`path` must be an existing file, got {path}.")
    if path.stat().st_size == 0:
        raise MediaError(f"`path` must be a media file, got the empty file {path}.")
    try:
        with _open(path) as container:
            yield container
    except (av.error.FFmpegError, OSError) as error:
        reason = error.strerror or str(error)
        raise MediaError(f"`path` must be a whole media file, got {path}: {reason}.") from error


def _open(path: Path) -> av.container.InputContainer:
    try:
        # The prefix keeps a colon in a name from being read as a protocol.
        return av.open(f"file:{path}", options=OPENING, **TAGS)
    except av.error.ArgumentError as error:
        raise MediaError(
            f"`path` must be a media file, got {path}, which is of a kind that is not read, such as text or a playlist."
        ) from error


def exact_headers(container: av.container.InputContainer) -> bool:
    """Whether the headers hold each track's own length; other containers tell one length for all, or guess."""
    return "mov" in container.format.name


def picture_track(container: av.container.InputContainer, path: str | os.PathLike) -> Any:
    """The video track; the cover of a song is none."""
    if not len(container.streams):  # an mp4 that lost its index opens without an error
        raise MediaError(f"`path` must be a whole media file, got {path}, which is damaged or cut short.")
    if container.metadata.get("major_brand") in PHOTOGRAPHS:
        raise MediaError(f"`path` must be a video, got the photograph {path}.")
    track: Any = container.streams.best("video")
    if track is None or Disposition.attached_pic in track.disposition or track.codec_context is None:
        raise MediaError(f"`path` must have a picture, got {path} without one; give a whole video.")
    check_pixels(track.codec_context.width, track.codec_context.height, float(track.sample_aspect_ratio or 1), path)
    return track


def check_pixels(width: int, height: int, pixel_aspect: float, path: str | os.PathLike) -> None:
    """See that a frame is no larger than allowed, as it is stored and as it is shown.

    Raises:
        MediaError: If it is.
    """
    if width * height * max(1.0, pixel_aspect) > limits().pixels:
        size = f"{width} x {height} of aspect {pixel_aspect:g}"
        raise MediaError(f"`path` must have frames of at most {limits().pixels} pixels, got {size} in {path}.")


def sound_track(container: av.container.InputContainer) -> Any:
    """The audio track, or None."""
    # Where the headers tell too little of a track it is never "best", but may decode well.
    track = container.streams.best("audio") or next(iter(container.streams.audio), None)
    return None if track is None or track.codec_context is None else track
