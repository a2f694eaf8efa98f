"""The three tracks of a clip from what the user has: tracks, a mix, or both (MTV, section 4.1, demixing)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from asva_audio import Audio, Demixer, GatedDemixer, GivenStems, Stems, default_demixer, fit, load_audio, resample
from asva_audio.mtv_features import SAMPLE_RATE, level_voices
from asva_pipelines.inputs import _samples


@dataclass(frozen=True, eq=False)
class Tracks:
    """The sound of a clip.

    Attributes:
        stems: The tracks.
        how: In words: ``"given"``, ``"given, the rest of the mix to effects"``, ``"masks"``, ``"spleeter"`` or a
            demixer's name.
        second: (c, s) voice of a second speaker, who is not in the stems, at their rate.
    """

    stems: Stems
    how: str
    second: Tensor | None = None

    def mono(self, seconds: float) -> dict[str, Tensor]:
        """(1, s) of each track as MTV hears it: mono, 16 kHz, at its peak, cut or padded to the seconds."""
        rate = self.stems.sample_rate
        heard = {
            name: fit(Audio(resample(waveform.mean(0, keepdim=True), rate, SAMPLE_RATE), SAMPLE_RATE), seconds).waveform
            for name, waveform in (*self.stems.items(), *([] if self.second is None else [("speech2", self.second)]))
        }
        return level_voices(heard)

    def mix(self, seconds: float) -> Tensor:
        """(c, s) the sound of the video, cut or padded to the seconds."""
        whole = self.stems.mix if self.second is None else self.stems.mix + self.second
        return fit(Audio(whole, self.stems.sample_rate), seconds).waveform


def read_tracks(
    audio: Any, given: dict[str, Any], sample_rate: int | None, demixer: Demixer | None = None
) -> Tracks | None:
    """The tracks of one clip; None without any sound.

    Args:
        audio: The mix: a path, an :class:`asva_audio.Audio`, or samples (s,) or (c, s); or None.
        given: Tracks by name, each as `audio`, a second speaker's voice as ``speech2``; those that are None are not
            known.
        sample_rate: Of samples in hertz.
        demixer: Takes the mix apart where no track is given; see :func:`asva_audio.default_demixer`.

    Raises:
        ValueError: If tracks differ in length, rate or channels, or one is empty or cannot be read.
    """
    sounds: dict[str, Any] = {}
    for name, sound in given.items():
        if sound is not None:
            try:
                sounds[name] = _read(sound, sample_rate)
            except ValueError as error:
                raise type(error)(str(error).replace("`audio`", f"`{name}`").replace("`path`", f"`{name}`")) from error
    second = sounds.pop("speech2", None)
    if second is None:
        return _tracks(audio, sounds, sample_rate, demixer)
    if "speech" not in sounds:
        raise ValueError("`speech` must be given beside `speech2`, the voice of the first speaker, got none.")
    Stems.of(speech=sounds["speech"], effects=second)  # says how they differ
    if audio is not None:
        mix = _read(audio, sample_rate)
        Stems.of(speech=second, effects=mix)
        audio = Audio(mix.waveform - second.waveform, mix.sample_rate)
    tracks = _tracks(audio, sounds, sample_rate, demixer)
    return None if tracks is None else replace(tracks, second=second.waveform)


def _tracks(audio: Any, sounds: dict[str, Any], sample_rate: int | None, demixer: Demixer | None) -> Tracks | None:
    if audio is None:
        return Tracks(Stems.of(**sounds), "given") if sounds else None
    mix = _read(audio, sample_rate)
    if sounds:
        rest = next((name for name in ("effects", "music", "speech") if name not in sounds), "effects")
        return Tracks(GivenStems(**sounds, rest=rest)(mix.waveform, mix.sample_rate), f"given, the rest to {rest}")
    gated, name = default_demixer() if demixer is None else (GatedDemixer(demixer), type(demixer).__name__)
    return Tracks(gated(mix.waveform, mix.sample_rate), name)


def _read(sound: Any, sample_rate: int | None) -> Audio:
    if isinstance(sound, str | os.PathLike):
        return load_audio(sound, sample_rate=None, mono=False)
    return _samples(sound, sample_rate)
