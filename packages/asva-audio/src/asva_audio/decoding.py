"""A file's sound track opened, searched and decoded block by block; what FFmpeg says becomes one line."""

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from asva_audio.sound import AudioError
from asva_weights.limits import check_sound

logger = logging.getLogger(__name__)

# Kinds of file that hold what they show. Playlists and descriptions of streams (hls, concat, sdp) could make FFmpeg
# open other files or addresses, whatever they are named, and some formats draw any text as a picture (tty, bin).
FORMATS = (
    *("wav", "w64", "mp3", "aac", "flac", "aiff", "au", "caf", "amr", "ac3", "eac3", "dts", "wv", "ape", "tta", "ogg"),
    *("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "mxf", "nut", "dv"),
)
# Until 19 PyAV refuses tags that are not UTF-8 unless told otherwise; from then on it takes no such argument.
TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
OPENING = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}

# From so many channels on, PyAV reads beyond the list of their planes: the process may die of it.
PLANES = 8
# After a seek a decoder needs some packets until its output is right (MP3 reservoir, Opus pre-roll of 80 ms).
PRE_ROLL, SEEK_FROM = 0.5, 2.0


def existing_file(path: Path) -> Path:
    if path.is_dir():
        raise AudioError(f"{path} is a folder; name a sound or video file in it.")
    if not path.exists():
        raise AudioError(f"{path} does not exist; check the path.")
    if not path.is_file():
        raise AudioError(f"{path} is a pipe or a device; name a sound or video file.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes); copy or export it again.")
    return path


@contextmanager
def open_sound(path: Path) -> Generator[tuple[av.container.InputContainer, av.AudioStream]]:
    """The file and its best sound track, errors in one line that names the file."""
    try:
        with _open(path) as container:
            stream = container.streams.best("audio")
            if not isinstance(stream, av.AudioStream) or stream.codec_context is None:
                raise AudioError(f"{path} has no sound track; give a sound of its own.")
            stream.codec_context.thread_count = 1
            yield container, stream
    except AudioError:
        raise
    except av.error.InvalidDataError as error:
        raise AudioError(f"{path} is truncated or not a sound or video file; export it again, as WAV say.") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{path} cannot be read: {reason}.") from error


def _open(path: Path) -> av.container.InputContainer:
    try:
        # The prefix keeps a colon in a name from being read as a protocol.
        return av.open(f"file:{path}", options=OPENING, **TAGS)
    except av.error.ArgumentError as error:
        raise AudioError(
            f"{path} is not a sound or video file, or of a kind that is not read, such as a playlist; give a WAV, say."
        ) from error


def seek_before(container: av.container.InputContainer, stream: av.AudioStream, seconds: float) -> None:
    """Search for a place early enough to decode ``seconds`` well, or stay at the start."""
    try:
        container.seek(int(max(0.0, seconds - PRE_ROLL) / stream.time_base), stream=stream)
    except av.error.FFmpegError:
        logger.debug("%s cannot be searched, it is read from its start", container.name)


def decoded_frames(
    path: Path, container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    """Decoded frames; broken packets are left out (their time becomes silence) and counted in a warning."""
    broken = 0
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                check_sound(frame.sample_rate, frame.layout.nb_channels, path, AudioError)
                yield frame
        except av.error.InvalidDataError:
            broken += 1
    if broken:
        logger.warning("%s: %d packets of sound are broken and were left out", path, broken)


def to_float(frame: av.AudioFrame) -> np.ndarray:
    """(c, s) float32, full scale [-1, 1]."""
    if frame.format.is_planar and frame.layout.nb_channels >= PLANES:
        interleave = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate)
        frame = interleave.resample(frame)[0]
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(frame.samples, -1).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    scale = -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    return samples.astype(np.float32) / np.float32(scale)
