"""What the original AVSyncD loader makes of a sound: whole packets, each of them scrambled if it is not mono."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from asva_audio.decoding import decoded_frames, open_sound, to_float
from asva_audio.sound import AudioError


def official_packets(times_us: np.ndarray, start: float, duration: float | None = 2.0) -> np.ndarray:
    """Which packets of a sound the original loader takes for a clip.

    Those that begin at ``start`` or later, and at the end of the clip or earlier: whole packets, so that a clip of 2 s
    at 44.1 kHz becomes 31951 or 32323 samples at 16 kHz. Seeking compares truncated microseconds and never goes before
    0; the end does not know of that, so that a negative ``start`` shortens the clip.

    Args:
        times_us: (p,) presentation times in whole microseconds, ascending.
        start: Where the clip begins, in seconds; negative for videos shorter than the clip, as in the original.
        duration: Length of the clip in seconds, or None for all of it.

    Returns:
        (p,) bool.
    """
    times_us = np.asarray(times_us, dtype=np.int64)
    taken = times_us >= int(max(0.0, start) * 1e6)
    return taken if duration is None else taken & (times_us * 1e-6 <= start + duration)


def scramble_packets(packets: Iterable[np.ndarray]) -> np.ndarray:
    """Join (c, s) packets as the original does, which reads each one's interleaved samples as c rows.

    Of stereo the first row holds left, right, left, right, ... of the first half of every packet, and the second row
    the rest: at half the speed and in bursts. Mono is only joined.

    Returns:
        (c, s), s the sum over the packets.
    """
    return np.concatenate([packet.T.reshape(packet.shape) for packet in packets], axis=1)


def read_official(path: Path, start: float, duration: float | None) -> tuple[np.ndarray, int]:
    """The scrambled sound (c, s) of a clip and its rate.

    Decoded from the beginning: after a search the packets of PCM would begin elsewhere.

    Raises:
        AudioError: If the file cannot be read, or no packet of it begins in the clip.
    """
    packets, rate, time = [], 0, 0
    with open_sound(path) as (container, stream):
        for frame in decoded_frames(path, container, stream):
            time = _microseconds(path, frame)
            if not official_packets(np.array([time]), start, duration)[0]:
                if packets:
                    break
                continue
            if packets and (frame.sample_rate != rate or frame.layout.nb_channels != len(packets[0])):
                raise AudioError(f"{path} changes its rate or channels on the way; convert it to one format first.")
            packets.append(to_float(frame))
            rate = frame.sample_rate
    if not packets:
        raise AudioError(f"{path} has no packet of sound in the clip at {start:g} s; its last is at {time / 1e6:g} s.")
    return scramble_packets(packets), rate


def _microseconds(path: Path, frame: av.AudioFrame) -> int:
    if frame.pts is None:
        raise AudioError(f'{path} has packets without a time; export it again, as MP4 say, or use stereo="correct".')
    return int(frame.pts * frame.time_base * 1_000_000 + 0.5)
