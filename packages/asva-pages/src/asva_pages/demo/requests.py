"""What a page asks for, checked: settings of a video, and the command line that makes the same."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

from asva_pages.demo.sessions import Upload
from asva_pages.demo.settings import Settings
from asva_pages.requests import Refused

LARGEST_SEED = 2**32 - 1
STRONGEST = 20.0  # guidance


def read_wish(
    body: Any, sound: Upload, picture: Upload, settings: Settings, mask: Upload | None = None
) -> dict[str, Any]:
    """Arguments of :class:`asva_pipelines.make.plan.Request` for what was asked for.

    Args:
        body: JSON of the page: ``keyframes`` (seconds, or null for the model's own), ``prompt``, ``seed``, ``steps``,
            ``guidance``; all but the files may be left out.
        sound: What it shall move in time with.
        picture: The first frame.
        settings: Of the server.
        mask: What was painted over the picture, if anything was.

    Raises:
        Refused: If a value is not allowed.
    """
    prompt = body.get("prompt") or ""
    if not isinstance(prompt, str) or len(prompt) > settings.limits.prompt or not prompt.isprintable():
        raise Refused(422, f"The prompt must be one line of at most {settings.limits.prompt} letters.")
    options: dict[str, Any] = {}
    if (steps := _number(body, "steps", "The steps", 1, settings.limits.steps, whole=True)) is not None:
        options["--steps"] = steps
    if (guidance := _number(body, "guidance", "The guidance", 0.0, STRONGEST)) is not None:
        options["--guidance"] = guidance
    if (keyframes := body.get("keyframes")) is not None:
        options["--keyframes"] = _times(keyframes, sound)
    if mask is not None and picture.told.get("moved"):  # of other pictures the model decides what moves
        options = {"--region": mask.path}
    seed = _number(body, "seed", "The seed", 0, LARGEST_SEED, whole=True)
    return {"audio": sound.path, "image": picture.path, "prompt": prompt, "seed": seed or 0, "options": options}


def _number(body: dict[str, Any], name: str, words: str, low: float, high: float, *, whole: bool = False) -> Any:
    value = body.get(name)
    if value is None:
        return None
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise Refused(422, f"{words} must be a {'whole ' if whole else ''}number from {low:g} to {high:g}.")
    return value


def _times(keyframes: Any, sound: Upload) -> list[float]:
    if "most" not in sound.told:
        raise Refused(422, "This model has no keyframes.")
    seconds, most = sound.told["seconds"], len(sound.told["curve"])
    if not isinstance(keyframes, list) or not 1 <= len(keyframes) <= most:
        raise Refused(422, f"Keyframes must be 1 to {most} seconds.")
    for value in keyframes:
        right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not right or not 0 <= value < seconds:
            raise Refused(422, f"Keyframes must lie within the sound, 0 to {seconds:.2f} s.")
    return sorted({round(float(value), 4) for value in keyframes})


def command_line(wish: dict[str, Any], settings: Settings, output: Path) -> str:
    """The `asva sample` that makes the same video."""
    words = ["asva", "sample", "--image", wish["image"].name, "--audio", wish["audio"].name]
    if settings.model != "tiny":
        words += ["--model", settings.model]
    if wish["prompt"]:
        words += ["--prompt", wish["prompt"]]
    for option, value in wish["options"].items():
        words += [option, _word(value)]
    if wish["seed"]:
        words += ["--seed", str(wish["seed"])]
    return shlex.join([*words, "--output", output.name])


def _word(value: Any) -> str:
    if isinstance(value, Path):
        return value.name
    return ",".join(f"{second:g}" for second in value) if isinstance(value, list) else f"{value:g}"


def in_short(wish: dict[str, Any]) -> str:
    """The settings as a title."""
    options = wish["options"]
    keyframes = "your keyframes" if "--keyframes" in options else "the model's keyframes"
    told = ["your region" if "--region" in options else keyframes, f"seed {wish['seed']}"]
    told += [f"{name[2:]} {options[name]:g}" for name in ("--steps", "--guidance") if name in options]
    return ", ".join(told + ([f"“{wish['prompt']}”"] if wish["prompt"] else []))
