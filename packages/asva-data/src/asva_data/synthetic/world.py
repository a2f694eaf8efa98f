"""The world: every index is a clip with known truth, drawn from `(seed, index)` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalogue import CLASSES, OBJECT_CLASSES
from .render import render
from .scenery import caption, draw_scene
from .script import draw_script

WORLD_VERSION = 1  # changes when the same seed and index give other pixels or samples


@dataclass(frozen=True)
class SyntheticClip:
    """One clip and everything that is true about it.

    Attributes:
        frames: (t, h, w, 3) uint8 RGB.
        fps: Frames per second.
        waveform: (1, s) float32 in [-1, 1].
        sample_rate: Hertz.
        event_times: (n,) float64 seconds, rising.
        event_labels: One word per event, for example the side of the drum.
        class_name: The class that is heard and moves.
        caption: What can be seen, in words of `VOCABULARY`.
        mask: (t, h, w) bool, where the moving parts are in each frame.
        motion_score: (t,) float32, mean over all pixels of |u| + |v| from this frame to the next, in pixels; the
            last value is repeated.
        scene: What the first frame shows (JSON): background and objects with class, colours, centre and size in
            parts of the picture, flip. Nothing about times or about which object moves.
        moving_object: Index into `scene["objects"]`.
    """

    frames: NDArray[np.uint8]
    fps: float
    waveform: NDArray[np.float32]
    sample_rate: int
    event_times: NDArray[np.float64]
    event_labels: tuple[str, ...]
    class_name: str
    caption: str
    mask: NDArray[np.bool_]
    motion_score: NDArray[np.float32]
    scene: dict[str, Any]
    moving_object: int


class World:
    """What worlds share: size and length of the clips, and draws that follow from the seed and an index alone."""

    def __init__(self, seed: int, size: int, num_frames: int, fps: float, sample_rate: int, least: float) -> None:
        limits = {
            "seed": (seed, 0),
            "size": (size, 32),
            "num_frames": (num_frames, 2),
            "sample_rate": (sample_rate, 8000),
        }
        for name, (value, lowest) in limits.items():
            if value != int(value) or value < lowest:
                raise ValueError(f"`{name}` must be a whole number of at least {lowest}, got {value}.")
        if not fps > 0 or num_frames / fps < least:
            raise ValueError(f"`num_frames` / `fps` must be at least {least} seconds, got {num_frames} / {fps}.")
        self.seed, self.size, self.num_frames = int(seed), int(size), int(num_frames)
        self.fps, self.sample_rate = float(fps), int(sample_rate)

    @property
    def duration(self) -> float:
        """Seconds of a clip."""
        return self.num_frames / self.fps

    def _draws(self, index: int, *more: int) -> np.random.Generator:
        if index < 0:
            raise IndexError(f"`index` must not be negative, got {index}.")
        return np.random.default_rng([self.seed, int(index), *more])


class SyntheticWorld(World):
    """An endless list of clips.

    Args:
        seed: Not negative; clips of different seeds share nothing.
        size: Height and width in pixels, at least 32.
        num_frames: Frames per clip.
        fps: Frames per second.
        sample_rate: Hertz of the sound, at least 8000.
        classes: Names out of `CLASSES`, or None or "all".
        two_objects: Share of the scenes with two objects, of which only the one that is heard moves.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> clip = SyntheticWorld(seed=0)[7]
        >>> clip.frames.shape, clip.waveform.shape
        ((48, 64, 64, 3), (1, 32000))
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        size: int = 64,
        num_frames: int = 48,
        fps: float = 24,
        sample_rate: int = 16000,
        classes: Sequence[str] | str | None = None,
        two_objects: float = 0.2,
    ) -> None:
        every = classes is None or classes == "all"
        names = CLASSES if every else (classes,) if isinstance(classes, str) else tuple(classes)
        super().__init__(seed, size, num_frames, fps, sample_rate, 0.5)
        unknown = [name for name in names if name not in OBJECT_CLASSES]
        if unknown or not names:
            raise ValueError(f"`classes` must be names out of {', '.join(CLASSES)}, got {unknown or 'none'}.")
        if not 0.0 <= two_objects <= 1.0:
            raise ValueError(f"`two_objects` must lie between 0 and 1, got {two_objects}.")
        self.classes, self.two_objects = names, float(two_objects)

    def class_of(self, index: int) -> str:
        """Class of the clip at ``index``, without making the clip.

        >>> world = SyntheticWorld(seed=0)
        >>> world.class_of(7) == world[7].class_name
        True
        """
        names, moving = self._choose(self._draws(index))
        return names[moving]

    def __getitem__(self, index: int) -> SyntheticClip:
        rng = self._draws(index)
        names, moving = self._choose(rng)
        scene = draw_scene(rng, names)
        kind = OBJECT_CLASSES[names[moving]]
        script = draw_script(rng, kind, self.duration)
        times = np.arange(self.num_frames) / self.fps
        rendering = render(scene, self.size, moving, script.poses(times), script.sparks(times))
        return SyntheticClip(
            frames=rendering.frames,
            fps=self.fps,
            waveform=script.waveform(rng, self.sample_rate),
            sample_rate=self.sample_rate,
            event_times=script.times,
            event_labels=tuple(script.labels),
            class_name=kind.name,
            caption=caption(scene),
            mask=rendering.mask,
            motion_score=rendering.motion_score,
            scene=scene,
            moving_object=moving,
        )

    def _choose(self, rng: np.random.Generator) -> tuple[list[str], int]:
        """Names of the objects from left to right, and which of them moves."""
        first = self.classes[rng.integers(len(self.classes))]
        others = [name for name in self.classes if name != first and not OBJECT_CLASSES[name].ambient]
        pair = rng.random() < self.two_objects
        if not pair or not others or OBJECT_CLASSES[first].ambient:
            return [first], 0
        second = others[rng.integers(len(others))]
        moving = int(rng.integers(2))
        return ([first, second] if moving == 0 else [second, first]), moving
