"""Moving the sound of a file against its picture: packets are copied as they are, their times alone change."""

from __future__ import annotations

import os
from pathlib import Path

import av

from .clip import MediaError
from .draft import draft_of

TARGETS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


def move_sound(source: str | os.PathLike, target: str | os.PathLike, seconds: float) -> Path:
    """Copy a file with its sound moved; nothing is decoded or encoded.

    Sound that would begin before the picture is skipped by players (an edit list in MP4 and MOV, and in MKV the picture
    begins later instead); its packets stay in the file.

    Args:
        source: A file with picture and sound.
        target: Where the copy goes: .mp4, .m4v, .mov or .mkv.
        seconds: By which the sound comes later; negative for earlier.

    Returns:
        The path written.

    Raises:
        MediaError: If a file cannot be read or written, has no sound, or its streams do not fit the container.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in TARGETS:
        raise MediaError(f"`target` must end in {', '.join(TARGETS)}, got {target.name}.")
    try:
        with av.open(str(source)) as reader, draft_of(target) as draft:
            if not reader.streams.audio or not reader.streams.video:
                raise MediaError(f"`source` must have picture and sound, got {source}.")
            options = {"movflags": "+faststart"} if target.suffix.lower() != ".mkv" else {}
            with av.open(str(draft), "w", format=TARGETS[target.suffix.lower()], options=options) as writer:
                _copy(reader, writer, seconds)
    except av.error.FFmpegError as error:
        raise MediaError(
            f"`source` could not be copied to {target}: {error.strerror or error}, got {source}."
        ) from error
    return target


def _copy(reader, writer, seconds: float) -> None:
    kept = [stream for stream in reader.streams if stream.type in ("video", "audio")]
    streams = {stream.index: writer.add_stream_from_template(stream) for stream in kept}
    writer.metadata.update(reader.metadata)
    for packet in reader.demux(kept):
        if packet.dts is None:
            continue
        if packet.stream.type == "audio":
            ticks = round(seconds / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        packet.stream = streams[packet.stream.index]
        writer.mux(packet)
