"""How much a file may ask for: looked at in headers, before anything of that size is made."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from functools import cache


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what is read.

    Attributes:
        pixels: Of a picture, or of a frame of a video.
        held: Bytes of pictures, or of sound, that one call may hold.
        seconds: At which a video may show its last frame.
        channels: Of a sound.
        lowest_rate: Samples of a sound per second, at least.
        highest_rate: The same, at most.
        text: Bytes of a table, a list or settings.
    """

    pixels: int = 178_956_970  # 512 MiB of RGB
    held: int = 8 * 2**30
    seconds: int = 24 * 3600
    channels: int = 64
    lowest_rate: int = 1000
    highest_rate: int = 768_000
    text: int = 256 * 2**20


@cache
def limits() -> Limits:
    """The bounds of this process; ``ASVA_LIMITS="pixels=400000000 seconds=200000"`` in the environment sets others.

    Raises:
        ValueError: If that names another bound, or no whole number.
    """
    given = dict(word.partition("=")[::2] for word in os.environ.get("ASVA_LIMITS", "").split())
    known = [field.name for field in fields(Limits)]
    for name, value in given.items():
        if name not in known or not value.isdecimal():
            raise ValueError(f"`ASVA_LIMITS` must be whole numbers of {', '.join(known)}, got {name}={value}.")
    return Limits(**{name: int(value) for name, value in given.items()})


def check_sound(rate: int, channels: int, path: str | os.PathLike[str], error: type[ValueError]) -> None:
    """See that a sound is of a kind that can be held and resampled.

    Raises:
        ValueError: As `error`, if its rate or number of channels is not.
    """
    of = limits()
    if not of.lowest_rate <= rate <= of.highest_rate:
        raise error(f"`path` must have {of.lowest_rate} to {of.highest_rate} samples a second, got {rate} in {path}.")
    if not 1 <= channels <= of.channels:
        raise error(f"`path` must have 1 to {of.channels} channels of sound, got {channels} in {path}.")
