"""The options of `asva sample` as a request."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

from asva.cli import options
from asva.cli.models import agree
from asva.cli.sample_options import SampleOptions
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.job import Job
from asva_pipelines.make.request import Request

# Options that not every method has; they travel by their names, and only if they were given.
_NUMBERS = "steps interp_steps eta interp_eta guidance text_guidance image_guidance radius curve gain".split()
_NUMBERS += ["threshold", "attack", "release"]


def read_job(given: SampleOptions) -> Job:
    """Put the options of `asva sample` together.

    Raises:
        RequestError: If they exclude each other.
        ValueError: If one that is more than a word cannot be read.
    """
    _check_together(given)
    tracks = {name: getattr(given, name) for name in ("speech", "speech2", "effects", "music")}
    request = Request(
        image=given.image,
        image_model=given.image_model,
        audio=given.audio,
        control_audio=given.control_audio,
        stereo=None if given.stereo is options.Stereo.correct else str(given.stereo),
        tracks={name: path for name, path in tracks.items() if path is not None},
        demix=given.demix,
        frames=parse_frames(given.frame or []),
        prompt=given.prompt,
        method=None if given.method is None else str(given.method),
        model=given.model,
        interpolator=given.interpolator,
        seed=given.seed,
        start=given.start,
        duration=given.duration,
        loop=given.loop,
        fps=given.fps,
        resampling=str(given.resample),
        size=None if given.size is None else options.parse_size(given.size),
        anchor=given.anchor,
        resume=given.resume,
        options=_of_some_methods(given),
        device=given.device,
        dtype=str(given.dtype),
        offload=str(given.offload),
        lora=tuple(parse_lora(entry) for entry in given.lora or ()),
        storage=str(given.storage),
        tiling=given.tiling,
        compile=given.compile,
        quality=str(given.quality),
        crf=given.crf,
        confirm=partial(agree, yes=given.yes),
    )
    return Job(request=request, targets=_targets(given), overwrite=given.overwrite)


def _check_together(given: SampleOptions) -> None:
    several = (("region", "box"), ("part", "region"), ("part", "box"), ("part", "motion"))
    for one, other in (("guidance", "guidance_at"), ("uniform", "keyframes"), ("image", "image_model"), *several):
        if getattr(given, one) not in (None, False) and getattr(given, other) is not None:
            names = " and ".join(f"`--{name.replace('_', '-')}`" for name in (one, other))
            raise RequestError(f"{names} exclude each other: give one.")
    if given.duration is not None and given.duration <= 0:
        raise RequestError(f"`--duration` must be a positive number of seconds, got {given.duration:g}.")
    if given.loop and given.duration is None:
        raise RequestError("`--loop` must have a `--duration` until which the sound is repeated.")


def _of_some_methods(given: SampleOptions) -> dict[str, Any]:
    from asva_interp.windows.over_time import parse_points, parse_strengths
    from asva_pipelines.warp.parts import parse_box, parse_motion, parse_part

    told = {f"--{name.replace('_', '-')}": getattr(given, name) for name in _NUMBERS} | {
        "--set": dict(parse_setting(entry) for entry in given.set) if given.set else None,
        "--words": None if given.words is None else options.parse_words(given.words),
        "--keyframes": None if given.keyframes is None else options.parse_times(given.keyframes),
        "--guidance-at": None if given.guidance_at is None else parse_strengths(given.guidance_at, "--guidance-at"),
        "--prompt-at": parse_points(given.prompt_at, "--prompt-at") if given.prompt_at else None,
        "--sampler": None if given.sampler is None else str(given.sampler),
        "--interp-sampler": None if given.interp_sampler is None else str(given.interp_sampler),
        "--localizer": None if given.localizer is None else str(given.localizer),
        "--region": given.region,
        "--box": None if given.box is None else parse_box(given.box),
        "--motion": None if given.motion is None else parse_motion(given.motion),
        "--part": tuple(parse_part(entry) for entry in given.part) if given.part else None,
        "--rule": None if given.rule is None else str(given.rule),
        "--uniform": "uniform" if given.uniform else None,  # behind the rule, over which it counts
    }
    return {name: value for name, value in told.items() if value is not None}


def _targets(given: SampleOptions) -> dict[str, Path]:
    """Final names of everything that will be written."""
    output = given.output
    if output.suffix.lower() != ".mp4":
        raise RequestError(f"`--output` must end in .mp4, got '{output}'.")
    targets = {"json": output.with_suffix(".json")}
    if given.image_model is not None:
        targets["image"] = output.with_name(f"{output.stem}.image.png")
    if given.plot:
        targets["plot"] = output.with_name(f"{output.stem}.plot.png")
    if given.strip:
        targets["strip"] = output.with_name(f"{output.stem}.keyframes.png")
    return targets | {"video": output}


def parse_setting(entry: str) -> tuple[str, str]:
    """Name and value of ``name=value``."""
    name, sign, value = entry.partition("=")
    if not (name and sign and value):
        raise RequestError(f"`--set` must be NAME=VALUE, got '{entry}'.")
    return name, value


def parse_lora(entry: str) -> tuple[str, float]:
    """Source and scale of ``folder:0.8``; what follows a colon and is no number belongs to the source."""
    source, colon, scale = entry.rpartition(":")
    try:
        return (source, float(scale)) if colon and source else (entry, 1.0)
    except ValueError:
        return entry, 1.0


def parse_frames(entries: list[str]) -> dict[float, Path]:
    """Pictures by their seconds from ``1.5=picture.png``."""
    frames: dict[float, Path] = {}
    for entry in entries:
        seconds, sign, path = entry.partition("=")
        try:
            at = float(seconds)
        except ValueError:
            at = math.nan
        if not sign or not path or not math.isfinite(at) or at in frames:
            raise RequestError(
                f"`--frame` must be seconds=picture, each time once, such as 1.5=end.png, got '{entry}'."
            )
        frames[at] = Path(path)
    return frames
