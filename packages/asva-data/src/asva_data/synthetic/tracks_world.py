"""The three-track world: every index is a clip whose speech, effects and music each steer a thing of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .timing import pose_curve
from .tracks import STRIKE, TRACKS, Effects, Music, Speech, draw_effects, draw_music, draw_speech, light_curve
from .tracks_stage import draw_stage, render_stage
from .world import World

_PARTS = ("scene", *TRACKS, "mix")
LEVELS = (-18.0, 0.0)  # dB between which each track is turned down in the mix


@dataclass(frozen=True)
class TrackClip:
    """One clip and everything that is true about it.

    Attributes:
        frames: (t, h, w, 3) uint8 RGB.
        fps: Frames per second.
        stems: (1, s) float32 of each of `TRACKS`, at the levels of the mix; zeros where a track is absent.
        sample_rate: Hertz.
        opening: (t,) how far the mouth is open, 0 to 1.
        strike_times: (n,) seconds, rising.
        light: (t, 3) gains of red, green and blue; 1 is neutral.
        mode: Of the music, "major" or "minor"; "" without music.
        caption: In MTV's template of words.
        scene: What the first frame shows (JSON); nothing about the sound.
        moving: (t, h, w) bool, where something else than the light differs from the first frame.
    """

    frames: NDArray[np.uint8]
    fps: float
    stems: dict[str, NDArray[np.float32]]
    sample_rate: int
    opening: NDArray[np.float64]
    strike_times: NDArray[np.float64]
    light: NDArray[np.float64]
    mode: str
    caption: str
    scene: dict[str, Any]
    moving: NDArray[np.bool_]

    @property
    def waveform(self) -> NDArray[np.float32]:
        """(1, s) the mix: the sum of the stems."""
        speech, effects, music = (self.stems[name] for name in TRACKS)
        return speech + effects + music


class TrackWorld(World):
    """An endless list of clips. The first frame is silent and neutral: it shows the scene and nothing of the sound.

    Args:
        seed: Not negative; clips of different seeds share nothing.
        size: Height and width in pixels, at least 32.
        num_frames: Frames per clip.
        fps: Frames per second.
        sample_rate: Hertz of the sound, at least 8000.
        absent: Chance of each track to be silent; one is always heard.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> clip = TrackWorld(seed=0)[7]
        >>> clip.frames.shape, clip.waveform.shape, sorted(clip.stems)
        ((49, 64, 64, 3), (1, 32667), ['effects', 'music', 'speech'])
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        size: int = 64,
        num_frames: int = 49,
        fps: float = 24,
        sample_rate: int = 16000,
        absent: float = 0.15,
    ) -> None:
        super().__init__(seed, size, num_frames, fps, sample_rate, 0.9)
        if not 0.0 <= absent < 1.0:
            raise ValueError(f"`absent` must lie in [0, 1), got {absent}.")
        self.absent = float(absent)

    def __getitem__(self, index: int) -> TrackClip:
        return self.compose(index)

    def compose(
        self, index: int, *, speech: int | None = None, effects: int | None = None, music: int | None = None
    ) -> TrackClip:
        """The clip of an index, any track taken from another index: what must change is what that track steers.

        Args:
            index: Of the scene and of the tracks that are not named.
            speech, effects, music: Index of the clip that this track comes from; its level in the mix comes along.
        """
        given = {"speech": speech, "effects": effects, "music": music}
        source = {name: index if other is None else other for name, other in given.items()}
        heard = {name: name in self.tracks_of(source[name]) for name in TRACKS}
        scene = draw_stage(self._draws_of(index, "scene"))
        parts: dict[str, Any] = {name: self._track(name, source[name]) if heard[name] else None for name in TRACKS}
        times = np.arange(self.num_frames) / self.fps
        opening = parts["speech"].opening(times) if heard["speech"] else np.zeros_like(times)
        strike, strikes = np.zeros_like(times), np.zeros(0)
        if heard["effects"]:
            strikes = parts["effects"].times
            strike = pose_curve(times, strikes, parts["effects"].strengths, STRIKE)
        light = light_curve(parts["music"], times)
        frames = render_stage(scene, self.size, opening, strike, light)
        return TrackClip(
            frames=frames,
            fps=self.fps,
            stems={name: self._stem(name, parts[name], source[name]) for name in TRACKS},
            sample_rate=self.sample_rate,
            opening=opening,
            strike_times=strikes,
            light=light,
            mode=parts["music"].mode if heard["music"] else "",
            caption=caption(scene, speaking=heard["speech"]),
            scene=scene,
            moving=_moving(frames, light),
        )

    def caption_of(self, index: int) -> str:
        """Words of a clip, without making it."""
        return caption(draw_stage(self._draws_of(index, "scene")), speaking="speech" in self.tracks_of(index))

    def tracks_of(self, index: int) -> tuple[str, ...]:
        """Names of the tracks that are heard in a clip, without making it."""
        rng = self._draws_of(index, "mix")
        present = [name for name, share in zip(TRACKS, rng.random(3), strict=True) if share >= self.absent]
        return tuple(present or [TRACKS[rng.integers(3)]])

    def _track(self, name: str, index: int) -> Speech | Effects | Music:
        rng = self._draws_of(index, name)
        if name == "music":
            return draw_music(rng)
        return (draw_speech if name == "speech" else draw_effects)(rng, self.duration)

    def _stem(self, name: str, track: Speech | Effects | Music | None, index: int) -> NDArray[np.float32]:
        """(1, s) a track at a random level, with a breath of noise."""
        count = round(self.duration * self.sample_rate)
        if track is None:
            return np.zeros((1, count), np.float32)
        rng = self._draws(index, _PARTS.index(name), 1)
        waveform = track.waveform(rng, self.sample_rate, count)
        level = 10 ** (rng.uniform(*LEVELS) / 20) * 0.3 / max(float(np.abs(waveform).max()), 1e-6)
        noise = 10.0 ** rng.uniform(-5.0, -4.0) * rng.standard_normal(count)
        return (level * waveform + noise).astype(np.float32)[None]

    def _draws_of(self, index: int, part: str) -> np.random.Generator:
        return self._draws(index, _PARTS.index(part))


def _moving(frames: NDArray[np.uint8], light: NDArray[np.float64]) -> NDArray[np.bool_]:
    plain = frames / light[:, None, None].astype(np.float32)
    return (np.abs(plain - plain[:1]) > 12).any(axis=-1)


def caption(scene: dict[str, Any], *, speaking: bool) -> str:
    """What can be seen, in MTV's template."""
    words = f"a {scene['drum']} drum with a mallet before a wall"
    if not speaking:
        return f"No conversation. Scene Description: a person in {scene['shirt']}, {words}."
    return (
        f"One person conversation. Persons: Person1: a person in {scene['shirt']}. Person1 is speaking. "
        f"Scene Description: {words}."
    )
