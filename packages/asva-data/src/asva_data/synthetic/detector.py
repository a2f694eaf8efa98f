"""Reading events off pixels alone: the pose of every moving part by comparison, then its strikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalogue import OBJECT_CLASSES
from .puppet import ObjectClass
from .render import render
from .timing import Strike

NUM_POSES = 41
REST_LEVEL, STRIKE_LEVEL = 0.3, 0.55  # share of the way from rest to contact


@dataclass(frozen=True)
class ObjectSignal:
    """What one object did.

    Attributes:
        times: (n,) seconds of its events.
        labels: One word per event.
        pose: (t, channels) pose of each of its moving parts; 0 is rest.
        change: Mean squared change of the pixels against the object at rest, summed over the clip.
    """

    times: NDArray[np.float64]
    labels: tuple[str, ...]
    pose: NDArray[np.float64]
    change: float


@dataclass(frozen=True)
class Detection:
    """Events seen in a clip.

    Attributes:
        times: (n,) seconds, rising; those of the object that moved.
        labels: One word per event, as in `SyntheticClip.event_labels`.
        object_index: Which object of the scene moved, None if none did.
        objects: The signals of every object.
    """

    times: NDArray[np.float64]
    labels: tuple[str, ...]
    object_index: int | None
    objects: tuple[ObjectSignal, ...]


def detect_events(frames: NDArray[np.uint8], scene: dict[str, Any], *, fps: float = 24) -> Detection:
    """Find the events of a clip from its frames and from what the first frame shows.

    Each object is drawn in a row of poses; the pose whose drawing is nearest to a frame (least squares over the
    pixels that the object can change) is that frame's pose. An event is a quick way from rest to contact.

    Args:
        frames: (t, h, w, 3) uint8 RGB, square.
        scene: `SyntheticClip.scene`, or its copy read from JSON. Holds no times and no sound.
        fps: Frames per second.

    Raises:
        ValueError: If the frames are not square RGB pictures of bytes, or `fps` is not positive.
    """
    frames = square_frames(frames, fps)
    objects = tuple(_read_object(frames, scene, index, fps) for index in range(len(scene["objects"])))
    active = [index for index, signal in enumerate(objects) if len(signal.times)]
    if not active:
        return Detection(np.zeros(0), (), None, objects)
    best = max(active, key=lambda index: objects[index].change)
    return Detection(objects[best].times, objects[best].labels, best, objects)


def square_frames(frames: NDArray[np.uint8], fps: float) -> NDArray[np.uint8]:
    """The frames, if they are such.

    Raises:
        ValueError: If they are not square RGB pictures of bytes, or `fps` is not positive.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.shape[1] != frames.shape[2] or frames.dtype != np.uint8:
        raise ValueError(f"`frames` must be uint8 of shape (t, h, h, 3), got {frames.dtype} {frames.shape}.")
    if not fps > 0:
        raise ValueError(f"`fps` must be positive, got {fps}.")
    return frames


def read_pose(
    frames: NDArray[np.uint8], scene: dict[str, Any], index: int, channel: int, grid: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Pose (t,) of one moving part, and how far the pixels are from rest (see `ObjectSignal.change`)."""
    kind = OBJECT_CLASSES[scene["objects"][index]["class"]]
    poses = np.zeros((len(grid), max(len(kind.labels), 1)))
    poses[:, channel] = grid
    drawn = render(scene, frames.shape[1], index, poses).frames
    changing = (drawn.max(axis=0).astype(np.int16) - drawn.min(axis=0)).max(axis=-1) > 12
    bank = drawn[:, changing].reshape(len(grid), -1).astype(np.float32)
    seen = frames[:, changing].reshape(len(frames), -1).astype(np.float32)
    cost = (bank**2).sum(axis=1) - 2.0 * seen @ bank.T  # (t, poses), up to a constant per frame
    best = cost.argmin(axis=1)
    rest = int(np.abs(grid).argmin())
    change = float(np.sum((bank[best] - bank[rest]) ** 2) / frames.shape[1] ** 2)
    return _refine(cost, best, grid), change


def _refine(cost: NDArray[np.float32], best: NDArray[np.int64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The minimum of the parabola through the best pose and its neighbours."""
    inside = np.clip(best, 1, len(grid) - 2)
    row = np.arange(len(cost))
    low, mid, high = (cost[row, inside + step].astype(np.float64) for step in (-1, 0, 1))
    bend = low - 2.0 * mid + high
    offset = np.where(bend > 0, 0.5 * (low - high) / np.maximum(bend, 1e-9), 0.0)
    step = grid[1] - grid[0]
    return np.clip(grid[inside] + np.clip(offset, -1.0, 1.0) * step, grid[0], grid[-1])


def _read_object(frames: NDArray[np.uint8], scene: dict[str, Any], index: int, fps: float) -> ObjectSignal:
    kind = OBJECT_CLASSES[scene["objects"][index]["class"]]
    if kind.ambient:
        return ObjectSignal(np.zeros(0), (), np.zeros((len(frames), 1)), 0.0)
    grid = np.linspace(-kind.style.windup, kind.style.contact, NUM_POSES)
    grid -= grid[np.abs(grid).argmin()]  # rest is one of the poses
    found = [read_pose(frames, scene, index, channel, grid) for channel in range(len(kind.labels))]
    events = [
        (time, label) for (pose, _), label in zip(found, kind.labels, strict=True) for time in _strikes(pose, kind, fps)
    ]
    events.sort()
    return ObjectSignal(
        times=np.array([time for time, _ in events]),
        labels=tuple(label for _, label in events),
        pose=np.stack([pose for pose, _ in found], axis=1),
        change=sum(change for _, change in found),
    )


def _levels(style: Strike) -> tuple[float, float]:
    """Below the first a part is away from contact, above the second it strikes."""
    if style.contact < style.windup:  # leaves the ground and lands: the strike is the fall
        return -REST_LEVEL * style.windup, -0.05 * style.windup
    return REST_LEVEL * style.contact, STRIKE_LEVEL * style.contact


def _strikes(pose: NDArray[np.float64], kind: ObjectClass, fps: float) -> list[float]:
    """Times at which the pose goes from the low to the high level, moved on to the moment of contact."""
    low, high = _levels(kind.style)
    return strike_times(pose, kind.style, low, high, 0.78 * kind.style.windup, fps)


def strike_times(
    pose: NDArray[np.float64], style: Strike, low: float, high: float, windup: float, fps: float
) -> list[float]:
    """Seconds at which a pose goes from below `low` to above `high`, moved on to the moment of contact."""
    middle, times, armed = 0.5 * (low + high), [], False
    lead = style.strike * (1.0 - ((middle + windup) / (style.contact + windup)) ** (1.0 / style.power))
    for frame, value in enumerate(pose):
        if value < low:
            armed = True
        elif armed and value >= high:
            armed = False
            times.append(_crossing(pose, frame, middle) / fps + lead)
    return times


def _crossing(pose: NDArray[np.float64], frame: int, level: float) -> float:
    """The last time before `frame` at which the pose rose through `level`, in frames."""
    before = frame - 1
    while before > 0 and pose[before] >= level:
        before -= 1
    rise = pose[before + 1] - pose[before]
    return before + float(np.clip((level - pose[before]) / max(rise, 1e-9), 0.0, 1.0))
