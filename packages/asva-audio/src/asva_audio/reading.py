"""Sound from sound and video files, through PyAV: exact times, any channels, no more decoded than is asked for."""

import math
import os
from pathlib import Path
from typing import Literal

import av
import numpy as np
import torch

from asva_audio.decoding import SEEK_FROM, decoded_frames, existing_file, open_sound, seek_before, to_float
from asva_audio.headers import mp3_states_length, wav_seconds
from asva_audio.packets import read_official
from asva_audio.sound import Audio, AudioError, check_range, resample
from asva_audio.timeline import Timeline
from asva_weights.limits import limits

# Containers whose stated duration is a fact, not an estimate from the bit rate; and how far off it may be, in seconds
# or as a part of the duration.
EXACT_CONTAINERS = {"mov", "wav", "w64", "flac", "aiff", "au", "caf", "matroska"}
SLACK = (0.5, 0.05)
# An encoder fills its last block up. MP4 says where the sound ends in it; a block has at most so many samples.
PADDED_CONTAINERS = {"mov"}
PADDING = 2048
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
    stereo: Literal["correct", "official"] = "correct",
) -> Audio:
    """Read the sound of an audio or video file.

    Time 0 is the start of the file, not of its sound track: a track that begins later is preceded by silence. Encoder
    priming is trimmed, as is what fills the last block of an MP4 up. Only the wanted seconds are decoded. The result is
    shorter than ``duration`` where the sound ends earlier; :func:`asva_audio.fit` pads it.

    ``stereo="official"`` reads as the original AVSyncD loader does, for its released weights: the packets that begin in
    the clip, whole, and each one's interleaved samples taken for consecutive channels, of which ``mono`` keeps the
    first. Then time 0 is that of the time stamps, ``start`` may be negative, and the length is near ``duration`` only
    (:func:`asva_audio.avsyncd_mel` takes the middle of it). A mono file comes out unscrambled. The original does so to
    the track of a video; it reads sounds of their own (WAV) correctly.

    Args:
        path: Sound or video file of any usual kind; no playlist.
        sample_rate: Rate wanted in Hz, or None for the rate of the file.
        mono: Whether to mix the channels down to one: the mean of stereo, the usual weights for surround sound.
        start: First second wanted.
        duration: Seconds wanted, or None for all.
        stereo: Whether channels are kept apart, or scrambled as the released AVSyncD weights were trained on.

    Returns:
        Sound (c, s), c = 1 if ``mono``.

    Raises:
        AudioError: If the file is missing, empty, truncated, not media, without a sound track, holds samples that are
            not finite, or ends before ``start``.
        ValueError: If ``start``, ``duration`` or ``sample_rate`` is out of range, or ``stereo`` is unknown.
    """
    official = _check_clip(start, duration, stereo)
    path = existing_file(Path(path))
    samples, rate = _read_official(path, mono, start, duration) if official else _read(path, mono, start, duration)
    waveform = torch.from_numpy(samples)
    if not torch.isfinite(waveform).all():
        raise AudioError(f"{path} holds samples that are NaN or infinite; export it again.")
    if sample_rate is None:
        return Audio(waveform, rate)
    if 4 * waveform.numel() * sample_rate > limits().held * rate:
        raise AudioError(f"`path` must hold at most {limits().held >> 30} GiB of sound, got {path}; cut it.")
    waveform = resample(waveform, rate, sample_rate)
    whole = duration is None or official
    return Audio(waveform if whole else waveform[:, : round(duration * sample_rate)], sample_rate)


def _read(path: Path, mono: bool, start: float, duration: float | None) -> tuple[np.ndarray, int]:
    track = _decode(path, mono, start, duration, seek=start > SEEK_FROM)
    if start > SEEK_FROM and (track.begin is None or track.begin > track.first):
        track = _decode(path, mono, start, duration, seek=False)
    if not track.length:
        _raise_empty(path, track, start)
    return track.samples(), track.rate


def _read_official(path: Path, mono: bool, start: float, duration: float | None) -> tuple[np.ndarray, int]:
    samples, rate = read_official(path, start, duration)
    return samples[: 1 if mono else None], rate


def _check_clip(start: float, duration: float | None, stereo: str) -> bool:
    if stereo not in ("correct", "official"):
        raise ValueError(f'`stereo` must be "correct" or "official", got {stereo!r}.')
    if stereo == "official" and not math.isfinite(start):
        raise ValueError(f"`start` must be a finite number of seconds, got {start}.")
    # The original gives negative starts to videos shorter than its clips.
    check_range(max(0.0, start) if stereo == "official" else start, duration)
    return stereo == "official"


def _decode(path: Path, mono: bool, start: float, duration: float | None, *, seek: bool) -> Timeline:
    with open_sound(path) as (container, stream):
        origin = max(0, container.start_time or 0) / av.time_base
        if seek:
            seek_before(container, stream, origin + start)
        track = Timeline(rate=0)
        for frame in decoded_frames(path, container, stream):
            if not track.rate:
                end = _stated_end(path, container, stream, origin)
                track = _window(path, frame.sample_rate, start, duration, end)
            _add(path, track, frame, mono, origin)
            if track.full:
                return track
        missing = min(track.end, track.last) - track.cursor
        if track.rate and missing > max(SLACK[0] * track.rate, SLACK[1] * track.end):
            raise AudioError(
                f"{path} is truncated: its sound ends at {track.cursor / track.rate:.2f} s of "
                f"{track.end / track.rate:.2f} s; copy it again, or cut it before that with `duration`."
            )
        if container.format.name.split(",")[0] in PADDED_CONTAINERS:
            track.trim(PADDING)
        return track


def _window(path: Path, rate: int, start: float, duration: float | None, end: float) -> Timeline:
    first = round(start * rate)
    last = math.inf if duration is None else first + max(1, round(duration * rate))
    return Timeline(rate=rate, path=path, first=first, last=last, end=end * rate)


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
    block = to_float(frame)
    if mono:
        block = _mono_weights(frame)[None] @ block
    if frame.sample_rate != track.rate or (track.blocks and len(block) != len(track.blocks[0])):
        raise AudioError(f"{path} changes its rate or channels on the way; convert it to one format first.")
    seconds = None if frame.pts is None else float(frame.pts * frame.time_base) - origin
    track.add(block, None if seconds is None else round(seconds * track.rate))


def _mono_weights(frame: av.AudioFrame) -> np.ndarray:
    """(c,) weights that sum to 1, so that the mix does not clip."""
    names = [channel.name for channel in frame.layout.channels]
    weights = np.array([MONO_WEIGHTS.get(name, SURROUND_WEIGHT) for name in names], np.float32)
    return weights / weights.sum() if weights.sum() > 0 else np.full(len(names), 1 / len(names), np.float32)


def _raise_empty(path: Path, track: Timeline, start: float) -> None:
    if track.rate and start > 0:
        raise AudioError(f"{path} ends at {track.cursor / track.rate:.2f} s, before `start` at {start:g} s.")
    raise AudioError(f"{path} holds no sound that can be decoded; export it again, as WAV say.")
