"""The rules of the DEMIX data: do two demixings agree, is a voice off screen, which subset (MTV, appendix on data)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from asva_curate.curation.curve import statistic
from asva_curate.curation.excerpts import Excerpt, Score
from asva_curate.curation.measurements import Measurements
from asva_data import MediaError

SILENCE = -45.0  # dBFS, root mean square over the excerpt; the paper gives the number and not of what
FLOOR = 1e-10  # of a power

Tracks = Mapping[str, np.ndarray]
Span = tuple[float, float]


class Demixings(NamedTuple):
    """One mixture taken apart twice, each track (s,) float.

    Attributes:
        mix: What was taken apart.
        speech_a: Speech of the first, which also has effects and music.
        effects_a: Effects of the first.
        music_a: Music of the first.
        speech_b: Speech of the second.
        others_b: All the rest of the second.
    """

    mix: np.ndarray
    speech_a: np.ndarray
    effects_a: np.ndarray
    music_a: np.ndarray
    speech_b: np.ndarray
    others_b: np.ndarray


def loudness(track: np.ndarray) -> float:
    """Root mean square in dBFS; -100 of silence."""
    return float(10 * np.log10(max(np.mean(np.square(track, dtype=np.float64)), FLOOR)))


def track_distance(first: np.ndarray, second: np.ndarray, mix: np.ndarray) -> float:
    """``mean |a - b| / (mean |mix| + 1e-8)``: 0 of equal tracks, near 1 or above of unlike ones."""
    return float(np.abs(first - second).mean() / (np.abs(mix).mean() + 1e-8))


def demix_distance(tracks: Demixings, *, silence: float = SILENCE) -> float:
    """The largest distance of any comparable pair of tracks.

    Speech is always compared. Where the music of the first demixing is silent, the second's others must be its effects;
    where the effects are silent, they must be its music; where neither is, nothing more can be compared.

    Raises:
        MediaError: If the tracks are not equally long, or empty.
    """
    lengths = {track.shape for track in tracks}
    if len(lengths) != 1 or tracks.mix.ndim != 1 or not tracks.mix.size:
        raise MediaError(f"`tracks` must all have one shape (s,), got {sorted(lengths)}.")
    distances = [track_distance(tracks.speech_a, tracks.speech_b, tracks.mix)]
    if loudness(tracks.music_a) < silence:
        distances.append(track_distance(tracks.others_b, tracks.effects_a, tracks.mix))
    if loudness(tracks.effects_a) < silence:
        distances.append(track_distance(tracks.others_b, tracks.music_a, tracks.mix))
    return max(distances)


def voice_over_share(speech: Sequence[Span], seen: Sequence[Span]) -> float:
    """Share of the spoken time in which nobody is seen: 0 without speech, 1 of a pure voice-over.

    Args:
        speech: Seconds (start, end) in which someone speaks, of any diariser.
        seen: Seconds in which a person, or an active speaker, is in the picture.
    """
    spoken = _union(speech)
    total = sum(end - start for start, end in spoken)
    shown = sum(max(0.0, min(end, until) - max(start, since)) for start, end in spoken for since, until in _union(seen))
    return 1.0 - shown / total if total > 0 else 0.0


def subset(*, talking_head: bool, people: int, effects: float, music: float, silence: float = SILENCE) -> set[str]:
    """The subsets that a clip belongs to; they overlap.

    Args:
        talking_head: Whether its source is a collection of talking heads.
        people: How many are seen.
        effects: Loudness of its effects in dBFS.
        music: Loudness of its music in dBFS.
        silence: Loudness below which a track is silent.

    Returns:
        Of "basic-face", "single", "multiple", "sound-event", "visual-mood".
    """
    names = {"basic-face"} if talking_head else {"single"} if people == 1 else {"multiple"} if people > 1 else set()
    names |= {"sound-event"} if effects >= silence else set()
    return names | ({"visual-mood"} if music >= silence else set())


class DemixScore:
    """A score of `demix_distance`, `speech_level`, `effects_level` and `music_level`, from any two demixers.

    Args:
        first: ``(waveform (c, s), sample_rate) -> {"speech", "effects", "music"}``, each (s,).
        second: ``(waveform (c, s), sample_rate) -> {"speech", "others"}``, each (s,).
        silence: Loudness below which a track is silent, in dBFS.
        stride: Seconds from one excerpt that is taken apart to the next.
    """

    def __init__(
        self,
        first: Callable[[np.ndarray, int], Tracks],
        second: Callable[[np.ndarray, int], Tracks],
        *,
        silence: float = SILENCE,
        stride: float = 2.0,
    ) -> None:
        self.first, self.second, self.silence, self.stride = first, second, silence, stride

    def __call__(self, excerpt: Excerpt) -> dict[str, float]:
        """Judge one excerpt; silence has a distance of 0."""
        if excerpt.waveform is None or not excerpt.waveform.size:
            return {"demix_distance": 0.0, "speech_level": -100.0, "effects_level": -100.0, "music_level": -100.0}
        a = self.first(excerpt.waveform, excerpt.sample_rate)
        b = self.second(excerpt.waveform, excerpt.sample_rate)
        mix = excerpt.waveform.mean(axis=0)
        tracks = Demixings(mix, a["speech"], a["effects"], a["music"], b["speech"], b["others"])
        levels = {f"{name}_level": loudness(a[name]) for name in ("speech", "effects", "music")}
        return {"demix_distance": demix_distance(tracks, silence=self.silence), **levels}


class VoiceOverScore:
    """A score of `voice_over` (0 to 1) and `people`, from any diariser and any detector of people or speakers.

    Args:
        diarise: ``excerpt -> [(start, end), ...]`` seconds of speech within the excerpt.
        people: ``(h, w, 3) uint8 frame -> number of people`` who are seen, or who are seen to speak.
    """

    def __init__(self, diarise: Callable[[Excerpt], Sequence[Span]], people: Callable[[np.ndarray], int]) -> None:
        self.diarise, self.people = diarise, people

    def __call__(self, excerpt: Excerpt) -> dict[str, float]:
        """Judge one excerpt; a person seen in a frame is seen until the next."""
        counts = [self.people(frame) for frame in excerpt.frames]
        ends = [*excerpt.times[1:], excerpt.seconds]
        seen = [(start, end) for start, end, count in zip(excerpt.times, ends, counts, strict=True) if count]
        return {"voice_over": voice_over_share(self.diarise(excerpt), seen), "people": float(max(counts))}


def both_scores(
    first: Callable[[Excerpt], Mapping[str, float]], second: Callable[[Excerpt], Mapping[str, float]]
) -> Score:
    """Two scores as one, such as those that share a separator, which then takes each excerpt apart once."""

    def judge(excerpt: Excerpt) -> dict[str, float]:
        return {**first(excerpt), **second(excerpt)}

    both: Any = judge  # with an attribute
    both.stride = max(getattr(score, "stride", 0.0) for score in (first, second))
    return both


def subsets_within(measured: Measurements, start: float, end: float) -> list[str] | None:
    """The subsets of a stretch of a file by the curves of `DemixScore` and `VoiceOverScore`; None without these."""
    names = ("people", "effects_level", "music_level")
    if not measured.curves.keys() >= set(names):
        return None
    people, effects, music = (statistic(measured.curves[name].within(start, end), "max") for name in names)
    return sorted(
        subset(talking_head=False, people=0 if people != people else int(people), effects=effects, music=music)
    )


def _union(spans: Sequence[Span]) -> list[Span]:
    """The same time as spans that do not overlap."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    return joined
