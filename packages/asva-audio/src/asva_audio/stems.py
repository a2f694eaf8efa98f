"""A sound taken apart into speech, effects and music: the tracks, who makes them, and tracks that are given (MTV)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from asva_audio.sound import Audio

TRACKS = ("speech", "effects", "music")


@dataclass(frozen=True, eq=False)
class Stems:
    """Three tracks of one length and rate, whose sum is the sound that they were taken from.

    Attributes:
        speech: (c, s) float32, what a mouth says.
        effects: (c, s) float32, what happens: strikes, barks, engines, and whatever is neither of the others.
        music: (c, s) float32.
        sample_rate: Samples per second of all three.
    """

    speech: Tensor
    effects: Tensor
    music: Tensor
    sample_rate: int

    def __post_init__(self) -> None:
        shape = self.speech.shape
        for name, waveform in self.items():
            check_sound(waveform, self.sample_rate, name)
            if waveform.shape != shape:
                raise ValueError(f"`{name}` must have the shape of `speech`, {tuple(shape)}, got {_size(waveform)}.")

    @classmethod
    def of(cls, speech: Audio | None = None, effects: Audio | None = None, music: Audio | None = None) -> "Stems":
        """Stems of sounds that were made apart; a track that is not given is silent.

        Raises:
            ValueError: If none is given, or they differ in rate, length or number of channels.
        """
        given = {name: audio for name, audio in zip(TRACKS, (speech, effects, music), strict=True) if audio is not None}
        if not given:
            raise ValueError("`speech`, `effects` or `music` must be given, got none.")
        first, model = next(iter(given.items()))
        for name, audio in given.items():
            _check_alike(name, audio, model.waveform, model.sample_rate, f"`{first}`")
        silence = torch.zeros_like(model.waveform)
        return cls(*(given[name].waveform if name in given else silence for name in TRACKS), model.sample_rate)

    @property
    def mix(self) -> Tensor:
        """(c, s) sum of the tracks."""
        return self.speech + self.effects + self.music

    def items(self) -> Iterator[tuple[str, Tensor]]:
        """Name and waveform of each track."""
        return ((name, getattr(self, name)) for name in TRACKS)


class Demixer(Protocol):
    """Whatever takes a sound apart: tracks that are given, masks, a network."""

    def __call__(self, waveform: Tensor, sample_rate: int) -> Stems:
        """(c, s) float32 sound -> three tracks of its shape and rate, which sum to it to 1e-6."""


@dataclass(frozen=True, eq=False)
class GivenStems:
    """A demixer that is told the tracks; what of the sound they leave goes to one of them.

    Attributes:
        speech: A track, or None.
        effects: A track, or None.
        music: A track, or None.
        rest: The track that takes what the given ones leave; None if they must leave nothing.
        tolerance: Largest sample of the rest that counts as nothing where ``rest`` is None; 16-bit files round by 3e-5.
    """

    speech: Audio | None = None
    effects: Audio | None = None
    music: Audio | None = None
    rest: str | None = "effects"
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if not self.given:
            raise ValueError("`speech`, `effects` or `music` must be given, got none.")
        if self.rest is not None and self.rest not in TRACKS:
            raise ValueError(f"`rest` must be one of {', '.join(TRACKS)} or None, got {self.rest!r}.")

    @property
    def given(self) -> dict[str, Audio]:
        """The tracks that are given, by name."""
        return {name: audio for name in TRACKS if (audio := getattr(self, name)) is not None}

    def rest_of(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """(c, s) what the given tracks leave of the sound.

        Raises:
            ValueError: If a track differs from the sound in rate, length or number of channels.
        """
        check_sound(waveform, sample_rate)
        for name, audio in self.given.items():
            _check_alike(name, audio, waveform, sample_rate, "the sound")
        return waveform - sum(audio.waveform for audio in self.given.values())

    def __call__(self, waveform: Tensor, sample_rate: int) -> Stems:
        """The tracks as they were given, one of them with the rest added.

        Args:
            waveform: (c, s) float32 sound.
            sample_rate: Its rate in Hz.

        Raises:
            ValueError: If a track differs from the sound in rate, length or number of channels, or something is left
                and ``rest`` is None.
        """
        left = self.rest_of(waveform, sample_rate)
        if self.rest is None and left.abs().max() > self.tolerance:
            raise ValueError(
                f"`rest` must name the track that takes what the given ones leave ({level(left):.1f} dBFS), got None."
            )
        tracks = {name: torch.zeros_like(waveform) for name in TRACKS}
        tracks |= {name: audio.waveform for name, audio in self.given.items()}
        taker = self.rest or next(iter(self.given))
        return Stems(**tracks | {taker: tracks[taker] + left}, sample_rate=sample_rate)


def level(waveform: Tensor) -> float:
    """Root mean square in dBFS, over all samples and channels; -inf for digital silence.

    Example:
        >>> level(torch.full((1, 8), 0.1))
        -20.0
    """
    power = waveform.double().square().mean().item()
    return round(10 * math.log10(power), 6) if power > 0 else -math.inf


def check_sound(waveform: Tensor, sample_rate: int, name: str = "waveform") -> None:
    """Refuse what no demixer can take apart.

    Raises:
        ValueError: If the shape is not (c, s), the type not float32, the rate not positive, there is no sample or one
            that is not finite.
    """
    if waveform.ndim != 2 or waveform.dtype != torch.float32:
        raise ValueError(f"`{name}` must be float32 of shape (c, s), got {waveform.dtype} of shape {_size(waveform)}.")
    if waveform.numel() == 0:
        raise ValueError(f"`{name}` must hold at least one sample, got shape {_size(waveform)}.")
    if sample_rate != int(sample_rate) or sample_rate < 1:
        raise ValueError(f"`sample_rate` must be a positive whole number of Hz, got {sample_rate}.")
    if not waveform.isfinite().all():
        raise ValueError(f"`{name}` must be finite, got NaN or infinity.")


def _check_alike(name: str, audio: Audio, waveform: Tensor, sample_rate: int, other: str) -> None:
    check_sound(audio.waveform, audio.sample_rate, name)
    if audio.sample_rate != sample_rate:
        raise ValueError(
            f"`{name}` must have the rate of {other}, {sample_rate} Hz, got {audio.sample_rate} Hz; use `resample`."
        )
    if audio.waveform.shape[-1] != waveform.shape[-1]:
        raise ValueError(
            f"`{name}` must be as long as {other}, {waveform.shape[-1]} samples, got {audio.waveform.shape[-1]}; "
            "use `fit` or `cut`."
        )
    if len(audio.waveform) != len(waveform):
        raise ValueError(
            f"`{name}` must have the channels of {other}, {len(waveform)}, got {len(audio.waveform)}; "
            "read both with the same `mono`."
        )


def _size(waveform: Tensor) -> tuple[int, ...]:
    return tuple(waveform.shape)
