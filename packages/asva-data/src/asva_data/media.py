"""Opening media files and finding their tracks, with one clear error for each way they can be bad."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.stream import Disposition

from .clip import MediaError

NOT_MEDIA = ("tty", "bin", "xbin", "adf", "idf")  # formats that draw text files as pictures


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


def exact_headers(container) -> bool:
    """Whether the headers hold each track's own length; other containers tell one length for all, or guess."""
    return "mov" in container.format.name


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
    # Where the headers tell too little of a track it is never "best", but may decode well.
    track = container.streams.best("audio") or next(iter(container.streams.audio), None)
    return None if track is None or track.codec_context is None else track
