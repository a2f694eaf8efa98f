"""Faults of known strength, planted into a clip: what a score of synchronization should see, and what it should not.

Each is a pure function of pictures (t, h, w, 3) or of a sound (s,), for any clip; those that need to know when things
happen take the times of the events.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Sound = NDArray[np.float32]
BEFORE, AFTER = 0.15, 0.3
"""Seconds before and after an event in which what moves for it moves."""
PIECE = 0.25
"""Seconds of the stretches that `scramble_time` exchanges."""


def shift_sound(waveform: Sound, seconds: float, rate: int) -> Sound:
    """The sound later by some seconds, circularly."""
    return np.roll(waveform, round(seconds * rate))


def drift_sound(waveform: Sound, share: float) -> Sound:
    """The sound slower by a share of its speed, in time at its first sample and as long as it was."""
    at = np.arange(len(waveform)) / (1 + share)
    return np.interp(at, np.arange(len(waveform)), waveform).astype(np.float32)


def still_events(
    frames: Frames, fps: float, events: NDArray[np.float64], share: float, generator: np.random.Generator
) -> Frames:
    """A share of the events, one at least, is heard but not seen: the picture stands still around them."""
    places = np.arange(len(frames))
    for event in generator.choice(events, _count(share, len(events)), replace=False) if len(events) else ():
        first, last = max(0, int((event - BEFORE) * fps)), min(len(frames), int((event + AFTER) * fps) + 1)
        places[first:last] = first
    return frames[places]


def add_sounds(
    waveform: Sound, rate: int, events: NDArray[np.float64], share: float, generator: np.random.Generator
) -> Sound:
    """As many more events as a share of those that are there, one at least, are heard where nothing happens."""
    changed, length, taken = waveform.copy(), round(PIECE * rate), list(events)
    for _ in range(_count(share, len(events))):
        free = [
            t for t in generator.uniform(0, len(waveform) / rate - PIECE, 50) if min(abs(t - x) for x in taken) > BEFORE
        ]
        if not free:
            break
        taken.append(free[0])
        source, target = round(generator.choice(events) * rate), round(free[0] * rate)
        piece = waveform[source : source + length]
        changed[target : target + len(piece)] += piece * np.linspace(1, 0, len(piece), dtype=np.float32)
    return changed.clip(-1, 1)


def other_picture(frames: Frames, other: Frames, share: float) -> Frames:
    """The last share of the time shows another clip of the same size."""
    first = round((1 - share) * len(frames))
    return np.concatenate((frames[:first], other[first : len(frames)]))


def freeze(frames: Frames, share: float) -> Frames:
    """The last share of the frames shows one picture."""
    return frames[np.minimum(np.arange(len(frames)), round((1 - share) * (len(frames) - 1)))]


def scramble_time(frames: Frames, fps: float, share: float, generator: np.random.Generator) -> Frames:
    """A share of the picture's time shows stretches of the clip from elsewhere."""
    size = max(1, round(PIECE * fps))
    pieces = np.array_split(np.arange(len(frames)), max(2, len(frames) // size))
    for place in generator.choice(len(pieces), _count(share, len(pieces)), replace=False):
        length = len(pieces[place])
        first = (place * size + generator.integers(size, len(frames) - size)) % max(1, len(frames) - length)
        pieces[place] = first + np.arange(length)
    return frames[np.concatenate(pieces)]


def warp_time(frames: Frames, fps: float, seconds: float) -> Frames:
    """The picture's time is bent by one wave: it runs behind and ahead by up to some seconds, never backwards."""
    places = np.arange(len(frames))
    moved = places + seconds * fps * np.sin(2 * np.pi * places / len(frames))
    return frames[np.maximum.accumulate(np.clip(np.round(moved), 0, len(frames) - 1)).astype(int)]


def hold_frames(frames: Frames, count: int) -> Frames:
    """Each frame is shown some times instead of those after it."""
    return frames[np.arange(len(frames)) // count * count]


def sway(frames: Frames, fps: float, share: float) -> Frames:
    """The camera sways by a share of the picture, once a second and a half."""
    height, width = frames.shape[1:3]
    moved = np.empty_like(frames)
    for place, frame in enumerate(frames):
        angle = 2 * np.pi * place / fps / 1.5
        rows = np.clip(np.arange(height) + round(share * height * np.sin(angle)), 0, height - 1)
        columns = np.clip(np.arange(width) + round(share * width * np.cos(angle)), 0, width - 1)
        moved[place] = frame[rows][:, columns]
    return moved


def add_noise(frames: Frames, levels: float, generator: np.random.Generator) -> Frames:
    """Every pixel of every frame is off by normal noise of some grey levels."""
    return np.clip(np.rint(frames + generator.normal(0, levels, frames.shape)), 0, 255).astype(np.uint8)


def _count(share: float, total: int) -> int:
    return min(total, max(1, round(share * total)))
