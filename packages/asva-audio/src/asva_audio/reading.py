"""Sound from any file that FFmpeg reads, through PyAV: exact times, any channels, no more decoded than is asked for."""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import torch

from asva_audio.headers import mp3_states_length, wav_seconds
from asva_audio.sound import Audio, AudioError, check_range, resample
from asva_audio.timeline import Timeline

logger = logging.getLogger(__name__)

# After a seek a decoder needs some packets until its output is right (MP3 reservoir, Opus pre-roll of 80 ms).
PRE_ROLL, SEEK_FROM = 0.5, 2.0
# Containers whose stated duration is a fact, not an estimate from the bit rate; and how far off it may be, in seconds
# or as a part of the duration.
EXACT_CONTAINERS = {"mov", "wav", "w64", "flac", "aiff", "au", "caf", "matroska"}
SLACK = (0.5, 0.05)
# ITU-R BS.775, (left + right) / 2 of surround sound: the subwoofer is left out, unnamed channels count as sides.
MONO_WEIGHTS = {"FL": 0.5, "FR": 0.5, "FC": math.sqrt(0.5), "LFE": 0.0, "LFE2": 0.0}
SURROUND_WEIGHT = 0.5 * math.sqrt(0.5)


def load_audio(
    path: str | os.PathLike[str],
    *,
    sample_rate: int | None = 16000,
    mono: bool = True,
    start: float = 0.0,
    duration: float | None = None,
) -> Audio:
    """Read the sound of an audio or video file.

    Time 0 is the start of the file, not of its sound track: a track that begins later is preceded by silence, and
    encoder priming is trimmed. Only the wanted seconds are decoded. The result is shorter than ``duration`` where the
    sound ends earlier; :func:`asva_audio.fit` pads it.

    Args:
        path: File in any format that FFmpeg reads.
        sample_rate: Rate wanted in Hz, or None for the rate of the file.
        mono: Whether to mix the channels down to one: the mean of stereo, the usual weights for surround sound.
        start: First second wanted.
        duration: Seconds wanted, or None for all.

    Returns:
        Sound (c, s), c = 1 if ``mono``.

    Raises:
        AudioError: If the file is missing, empty, truncated, not media, without a sound track, holds samples that are
            not finite, or ends before ``start``.
        ValueError: If ``start``, ``duration`` or ``sample_rate`` is out of range.
    """
    check_range(start, duration)
    path = _existing_file(Path(path))
    with _one_line(path):
        track = _decode(path, mono, start, duration, seek=start > SEEK_FROM)
        if start > SEEK_FROM and (track.begin is None or track.begin > track.first):
            track = _decode(path, mono, start, duration, seek=False)
    if not track.length:
        _raise_empty(path, track, start)
    waveform = torch.from_numpy(track.samples())
    if not torch.isfinite(waveform).all():
        raise AudioError(f"{path} holds samples that are NaN or infinite; export it again.")
    if sample_rate is None:
        return Audio(waveform, track.rate)
    waveform = resample(waveform, track.rate, sample_rate)
    return Audio(waveform if duration is None else waveform[:, : round(duration * sample_rate)], sample_rate)


def _existing_file(path: Path) -> Path:
    if path.is_dir():
        raise AudioError(f"{path} is a folder; name a sound or video file in it.")
    if not path.exists():
        raise AudioError(f"{path} does not exist; check the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes); copy or export it again.")
    return path


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn what FFmpeg and the system say into one line that names the file."""
    try:
        yield
    except AudioError:
        raise
    except av.error.InvalidDataError as error:
        raise AudioError(f"{path} is truncated or not a sound or video file; export it again, as WAV say.") from error
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{path} cannot be read: {reason}.") from error


def _decode(path: Path, mono: bool, start: float, duration: float | None, *, seek: bool) -> Timeline:
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
        stream = container.streams.best("audio")
        if stream is None:
            raise AudioError(f"{path} has no sound track; give a sound of its own.")
        stream.codec_context.thread_count = 1
        origin = max(0, container.start_time or 0) / av.time_base
        if seek:
            _seek(container, stream, origin + start - PRE_ROLL)
        track = Timeline(rate=0)
        for frame in _frames(path, container, stream):
            if not track.rate:
                track = _window(frame.sample_rate, start, duration, _stated_end(path, container, stream, origin))
            _add(path, track, frame, mono, origin)
            if track.full:
                return track
        missing = min(track.end, track.last) - track.cursor
        if track.rate and missing > max(SLACK[0] * track.rate, SLACK[1] * track.end):
            raise AudioError(
                f"{path} is truncated: its sound ends at {track.cursor / track.rate:.2f} s of "
                f"{track.end / track.rate:.2f} s; copy it again, or cut it before that with `duration`."
            )
        return track


def _window(rate: int, start: float, duration: float | None, end: float) -> Timeline:
    first = round(start * rate)
    last = math.inf if duration is None else first + max(1, round(duration * rate))
    return Timeline(rate=rate, first=first, last=last, end=end * rate)


def _seek(container: av.container.InputContainer, stream: av.AudioStream, seconds: float) -> None:
    try:
        container.seek(int(max(0.0, seconds) / stream.time_base), stream=stream)
    except av.error.FFmpegError:
        logger.debug("%s cannot be searched, it is read from its start", container.name)


def _frames(path: Path, container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Decoded frames; broken packets are left out (their time becomes silence) and counted in a warning."""
    broken = 0
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            broken += 1
    if broken:
        logger.warning("%s: %d packets of sound are broken and were left out", path, broken)


def _stated_end(path: Path, container: av.container.InputContainer, stream: av.AudioStream, origin: float) -> float:
    """Where the file says that its sound ends, in seconds, or 0 where it does not say or only guesses."""
    form = container.format.name.split(",")[0]
    if form == "wav" and (seconds := wav_seconds(path)):
        return seconds
    if form not in EXACT_CONTAINERS and not (form == "mp3" and mp3_states_length(path)):
        return 0.0
    if stream.duration is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - origin
    if len(container.streams) == 1 and container.duration is not None:
        return container.duration / av.time_base
    return 0.0


def _add(path: Path, track: Timeline, frame: av.AudioFrame, mono: bool, origin: float) -> None:
    block = _to_float(frame)
    if mono:
        block = _mono_weights(frame)[None] @ block
    if frame.sample_rate != track.rate or (track.blocks and len(block) != len(track.blocks[0])):
        raise AudioError(f"{path} changes its rate or channels on the way; convert it to one format first.")
    seconds = None if frame.pts is None else float(frame.pts * frame.time_base) - origin
    track.add(block, None if seconds is None else round(seconds * track.rate))


def _to_float(frame: av.AudioFrame) -> np.ndarray:
    """(c, s) float32, full scale [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(frame.samples, -1).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    scale = -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    return samples.astype(np.float32) / np.float32(scale)


def _mono_weights(frame: av.AudioFrame) -> np.ndarray:
    """(c,) weights that sum to 1, so that the mix does not clip."""
    names = [channel.name for channel in frame.layout.channels]
    weights = np.array([MONO_WEIGHTS.get(name, SURROUND_WEIGHT) for name in names], np.float32)
    return weights / weights.sum() if weights.sum() > 0 else np.full(len(names), 1 / len(names), np.float32)


def _raise_empty(path: Path, track: Timeline, start: float) -> None:
    if track.rate and start > 0:
        raise AudioError(f"{path} ends at {track.cursor / track.rate:.2f} s, before `start` at {start:g} s.")
    raise AudioError(f"{path} holds no sound that can be decoded; export it again, as WAV say.")
