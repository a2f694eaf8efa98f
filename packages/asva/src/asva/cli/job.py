"""The options of `asva sample` as a request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from asva.cli import options
from asva.cli.models import agree
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.job import Job
from asva_pipelines.make.request import Request

TRACKS = ("speech", "effects", "music")


def read_job(given: Mapping[str, Any]) -> Job:
    """Put the options of `asva sample` together.

    Args:
        given: Every option by the name of its parameter.

    Raises:
        RequestError: If they exclude each other.
        ValueError: If one that is more than a word cannot be read.
    """
    _check_together(given)
    request = Request(
        **{name: given[name] for name in _AS_THEY_ARE},
        method=None if given["method"] is None else str(given["method"]),
        resampling=str(given["resample"]),
        size=None if given["size"] is None else options.parse_size(given["size"]),
        tracks={name: given[name] for name in TRACKS if given[name] is not None},
        demix=given["demix"],
        frames=parse_frames(given["frame"] or []),
        options=_of_some_methods(given),
        dtype=str(given["dtype"]),
        offload=str(given["offload"]),
        confirm=partial(agree, yes=given["yes"]),
    )
    return Job(request=request, targets=_targets(given["output"], given), overwrite=given["overwrite"])


_AS_THEY_ARE = (
    "image image_model audio prompt model interpolator fps seed start duration loop control_audio anchor resume device "
    "crf"
).split()
_NUMBERS = "steps interp_steps guidance text_guidance image_guidance radius curve gain threshold attack release".split()


def _check_together(given: Mapping[str, Any]) -> None:
    for one, other in (("guidance", "guidance_at"), ("uniform", "keyframes"), ("image", "image_model")):
        if given[one] not in (None, False) and given[other] is not None:
            names = " and ".join(f"`--{name.replace('_', '-')}`" for name in (one, other))
            raise RequestError(f"{names} exclude each other: give one.")
    duration = given["duration"]
    if duration is not None and duration <= 0:
        raise RequestError(f"`--duration` must be a positive number of seconds, got {duration:g}.")
    if given["loop"] and duration is None:
        raise RequestError("`--loop` must have a `--duration` until which the sound is repeated.")


def _of_some_methods(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the options that not every method has, by their names; only those that were given."""
    from asva_interp.windows.over_time import parse_points, parse_strengths

    words, keyframes, strengths, prompts = (given[name] for name in ("words", "keyframes", "guidance_at", "prompt_at"))
    told = {f"--{name.replace('_', '-')}": given[name] for name in _NUMBERS} | {
        "--words": None if words is None else options.parse_words(words),
        "--keyframes": None if keyframes is None else options.parse_times(keyframes),
        "--guidance-at": None if strengths is None else parse_strengths(strengths, "--guidance-at"),
        "--prompt-at": parse_points(prompts, "--prompt-at") if prompts else None,
        "--rule": None if given["rule"] is None else str(given["rule"]),
        "--uniform": "uniform" if given["uniform"] else None,  # behind the rule, over which it counts
    }
    return {name: value for name, value in told.items() if value is not None}


def _targets(output: Path, given: Mapping[str, Any]) -> dict[str, Path]:
    """Final names of everything that will be written."""
    if output.suffix.lower() != ".mp4":
        raise RequestError(f"`--output` must end in .mp4, got '{output}'.")
    targets = {"json": output.with_suffix(".json")}
    if given["image_model"] is not None:
        targets["image"] = output.with_name(f"{output.stem}.image.png")
    if given["plot"]:
        targets["plot"] = output.with_name(f"{output.stem}.plot.png")
    if given["strip"]:
        targets["strip"] = output.with_name(f"{output.stem}.keyframes.png")
    return targets | {"video": output}


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
