"""One video to be made: the options of `asva sample` put together, checked, and carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from asva.cli import mtv_sampling, options
from asva.cli.door import UsageProblem
from asva.cli.plan import Request, make_plan

# What no pixel depends on: where the networks run, and how the run is made.
_NOT_SHOWN = ("device", "offload", "resume", "yes")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request, and the files that it becomes.

    Attributes:
        request: What was asked for.
        sounds: What only MTV hears and sees.
        targets: Final names of everything that will be written, the video last; the strip's may still change.
        overwrite: Whether files that exist are replaced.
    """

    request: Request
    sounds: mtv_sampling.Sounds
    targets: dict[str, Path]
    overwrite: bool = False

    @property
    def video(self) -> Path:
        """The file that it is all about."""
        return self.targets["video"]

    @property
    def is_mtv(self) -> bool:
        """Whether it is for MTV, which has a way of its own."""
        return mtv_sampling.is_mtv(self.request)

    def within(self, folder: Path) -> Job:
        """The same job with all its files in a folder."""
        return replace(self, targets={name: folder / path.name for name, path in self.targets.items()})

    def check_targets(self) -> None:
        """Refuse, before any work, files that could not be written at its end."""
        options.check_targets([path for name, path in self.targets.items() if name != "strip"], self.overwrite)

    def check(self) -> None:
        """See that files are there and everything goes together; nothing is loaded.

        Raises:
            UsageProblem: If the command line cannot be right.
            ModelError: If a model cannot be had or does not fit.
        """
        request = self.request
        files = [("--audio", request.audio), ("--image", request.image), ("--control-audio", request.control_audio)]
        files += [(option, path) for option, path in request.options.items() if isinstance(path, Path)]
        files += [("--frame", path) for path in self.sounds.frames.values()]
        for option, path in files:
            if path is not None and not path.is_file():
                raise UsageProblem(f"`{option}` must be an existing file, got '{path}'.")
        if self.is_mtv:
            mtv_sampling.check(request, self.sounds)
        else:
            self._require_sound()
        make_plan(request)

    def digest(self) -> str:
        """What the pixels depend on, in 16 letters: the options, and what the files hold."""
        told = {name: value for name, value in asdict(self.request).items() if name not in _NOT_SHOWN}
        told |= {"files": [name for name in self.targets if name != "video"]}
        text = json.dumps(told, sort_keys=True, default=_content)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def make(self, load: Callable[..., Any] | None = None) -> tuple[dict[str, Any], dict[str, Path]]:
        """Make the video and everything beside it; returns the record and the files, the video last.

        Args:
            load: Loads a model in place of :func:`asva.models.load_pipeline`.
        """
        from asva.cli.sampling import run

        if self.is_mtv:
            return mtv_sampling.run(self.request, self.sounds, self.targets, overwrite=self.overwrite, load=load)
        self._require_sound()
        return run(self.request, self.targets, overwrite=self.overwrite, load=load)

    def _require_sound(self) -> None:
        """Every method but MTV needs one; tracks without that method are refused as such."""
        if self.request.audio is None and not self.sounds.tracks:
            raise UsageProblem("`--audio` must be given: a sound, or a video with sound.")


def read_job(given: Mapping[str, Any]) -> Job:
    """Put the options of `asva sample` together.

    Args:
        given: Every option by the name of its parameter.

    Raises:
        UsageProblem: If they exclude each other.
        ValueError: If one that is more than a word cannot be read.
    """
    _check_together(given)
    sounds = _sounds(given)
    request = Request(
        **{name: given[name] for name in _AS_THEY_ARE},
        method=None if given["method"] is None else str(given["method"]),
        resampling=str(given["resample"]),
        size=None if given["size"] is None else options.parse_size(given["size"]),
        options=_of_some_methods(given) | sounds.options,
        dtype=str(given["dtype"]),
        offload=str(given["offload"]),
    )
    return Job(request=request, sounds=sounds, targets=_targets(given["output"], given), overwrite=given["overwrite"])


_AS_THEY_ARE = (
    "image image_model audio prompt model interpolator fps seed start duration loop control_audio anchor resume device "
    "crf yes"
).split()
_NUMBERS = "steps interp_steps guidance text_guidance image_guidance radius curve gain threshold attack release".split()


def _check_together(given: Mapping[str, Any]) -> None:
    for one, other in (("guidance", "guidance_at"), ("uniform", "keyframes"), ("image", "image_model")):
        if given[one] not in (None, False) and given[other] is not None:
            names = " and ".join(f"`--{name.replace('_', '-')}`" for name in (one, other))
            raise UsageProblem(f"{names} exclude each other: give one.")
    duration = given["duration"]
    if duration is not None and duration <= 0:
        raise UsageProblem(f"`--duration` must be a positive number of seconds, got {duration:g}.")
    if given["loop"] and duration is None:
        raise UsageProblem("`--loop` must have a `--duration` until which the sound is repeated.")


def _of_some_methods(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the options that not every method has, by their names; only those that were given."""
    from asva.long.over_time import parse_points, parse_strengths

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


def _sounds(given: Mapping[str, Any]) -> mtv_sampling.Sounds:
    return mtv_sampling.Sounds(
        tracks={name: given[name] for name in mtv_sampling.TRACKS if given[name] is not None},
        demix=given["demix"],
        frames=mtv_sampling.parse_frames(given["frame"] or []),
    )


def _targets(output: Path, given: Mapping[str, Any]) -> dict[str, Path]:
    """Final names of everything that will be written."""
    if output.suffix.lower() != ".mp4":
        raise UsageProblem(f"`--output` must end in .mp4, got '{output}'.")
    targets = {"json": output.with_suffix(".json")}
    if given["image_model"] is not None:
        targets["image"] = output.with_name(f"{output.stem}.image.png")
    if given["plot"]:
        targets["plot"] = output.with_name(f"{output.stem}.plot.png")
    if given["strip"]:
        targets["strip"] = output.with_name(f"{output.stem}.keyframes.png")
    return targets | {"video": output}


def _content(value: Any) -> Any:
    """What a file holds stands for it."""
    from asva.batch.table import content_digest

    return content_digest(value) if isinstance(value, Path) else str(value)
