"""Measuring one file: a single pass over its picture and one over its sound, whatever is asked of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asva_curate.curation.curve import Curve
from asva_curate.curation.excerpts import Judges, Score
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.picture import PictureMeter
from asva_curate.curation.shrink import Shrinker, upright_size
from asva_curate.curation.sound_track import SoundTrack
from asva_data import MediaError, probe
from asva_data.decode_pyav import timed_frames
from asva_data.listing import check_name, printable

ShotFinder = Callable[[str | os.PathLike], Curve]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How finely a file is looked at.

    Attributes:
        rate: Pictures measured per second, at most.
        side: Pixels of their short side, at most.
        excerpt_seconds: Length of the excerpts that scores judge.
        excerpt_stride: Seconds from one excerpt to the next.
        excerpt_fps: Frames per second in an excerpt, at most.
        excerpt_side: Pixels of their short side, at most.
    """

    rate: float = 12.0
    side: int = 72
    excerpt_seconds: float = 2.0
    excerpt_stride: float = 0.5
    excerpt_fps: float = 6.0
    excerpt_side: int = 256

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise MediaError(f"`{name}` must be above 0, got {value}.")


def measure(
    path: str | os.PathLike,
    *,
    label: str = "",
    plan: Plan | None = None,
    scores: Mapping[str, Score] | None = None,
    shot_finder: ShotFinder | None = None,
) -> Measurements:
    """Decode a file once and measure it.

    Args:
        path: A video of any usual kind.
        label: Its class, passed on to the scores.
        plan: How finely; None for the defaults.
        scores: What judges excerpts of 2 s, by name; without any, no excerpt is made.
        shot_finder: Finds cuts by itself, such as `detected_cuts`; its curve is kept as "cut".

    Returns:
        The measurements.

    Raises:
        MediaError: If the file cannot be read to its end.
    """
    plan, info = plan or Plan(), probe(path)
    sound = SoundTrack(path, info)
    meter = sound.measure()
    judges = None
    if scores:
        how = {"seconds": plan.excerpt_seconds, "stride": plan.excerpt_stride, "fps": plan.excerpt_fps}
        judges = Judges(scores, sound.cut, path=str(path), label=label, **how)
    shrink = Shrinker(plan.side, info.pixel_aspect, "bgr24")
    enlarge = Shrinker(plan.excerpt_side, info.pixel_aspect, "rgb24")
    pictures, count, wanted, end = PictureMeter(), 0, 0.0, 0.0
    height = width = 0
    for time, until, frame in timed_frames(path, info):
        if judges is not None:
            judges.see(time, lambda frame=frame: enlarge(frame))
        if time >= wanted - 1e-3:
            wanted = max(wanted, time - 1 / plan.rate) + 1 / plan.rate
            pictures(time, shrink(frame))
        if not count:
            height, width = upright_size(frame, info.pixel_aspect)
        count, end = count + 1, max(end, until)
    if not count:
        raise MediaError(f"`path` must hold pictures, got none in {path}.")
    times, hashes = pictures.hashes()
    curves = pictures.curves() | meter.curves() | (judges.finish(end) if judges is not None else {})
    if shot_finder is not None:
        curves["cut"] = shot_finder(path)
    return Measurements(
        path=str(path),
        label=label,
        duration=end,
        sound_seconds=sound.seconds,
        fps=info.fps,
        height=height,
        width=width,
        num_frames=count,
        codec=info.codec,
        curves=curves,
        frame_times=times,
        frame_hashes=hashes,
        sound_prints=meter.prints(),
    )


def measure_safely(path: str | os.PathLike, *, label: str = "", **how: Any) -> Measurements:
    """As `measure`, but whatever goes wrong with this file becomes its `failure`: a run goes on with the next."""
    try:
        check_name(path)
        return measure(path, label=label, **how)
    except MediaError as error:
        return Measurements(path=printable(path), label=label, failure=str(error))
    except Exception as error:  # a score's own error, or one of a decoder that nobody has met yet
        return Measurements(path=printable(path), label=label, failure=f"{type(error).__name__}: {error}")
