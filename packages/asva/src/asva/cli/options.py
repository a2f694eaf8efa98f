"""Options that several commands share, and the reading of those that are more than a word."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from asva_pipelines import METHODS
from asva_pipelines.make.errors import RequestError
from asva_pipelines.presets import QUALITIES

MethodName = StrEnum("MethodName", [(name.replace("-", "_"), name) for name in METHODS])
"""Ways to make a video."""
Quality = StrEnum("Quality", [(name, name) for name in QUALITIES])
"""How many calls of the networks a video is worth."""


class Rule(StrEnum):
    """Ways to choose keyframes from a motion curve."""

    inference = "inference"
    training = "training"
    even = "even"
    uniform = "uniform"


class Localizer(StrEnum):
    """What hears the motion in a sound."""

    model = "model"
    onsets = "onsets"


class Stereo(StrEnum):
    """Ways to hear two channels."""

    correct = "correct"
    official = "official"


class Resampling(StrEnum):
    """Ways from the model's frame rate to another."""

    nearest = "nearest"
    blend = "blend"


class Offload(StrEnum):
    """What waits in the main memory while another part is on the GPU."""

    auto = "auto"
    none = "none"
    model = "model"
    sequential = "sequential"
    group = "group"


class Storage(StrEnum):
    """What the matrices of the networks wait in."""

    own = "own"
    float8 = "float8"


class Sampler(StrEnum):
    """Ways from one noise level to the next."""

    own = "own"
    ddim = "ddim"
    unipc = "unipc"
    dpm = "dpm++"


class Dtype(StrEnum):
    """Precision of the networks."""

    auto = "auto"
    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


OUTPUT, TIMING, MANY, MACHINE = "Output", "Timing", "Many videos", "Machine"
"""Panels of options that several commands have."""

Model = Annotated[
    str,
    typer.Option("--model", "-m", help="tiny (bundled), keyvid (released weights), a folder, or a hub id owner/name."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result again on the same machine.")]
Start = Annotated[
    float, typer.Option(min=0.0, help="Second of the sound (or video) at which to begin.", rich_help_panel=TIMING)
]
Keyframes = Annotated[
    str | None,
    typer.Option(
        "--keyframes",
        help="Seconds of the keyframes, ascending, such as 0.2,0.9,1.4; or a .json or .csv.",
        rich_help_panel=TIMING,
    ),
]
StereoOption = Annotated[
    Stereo,
    typer.Option(
        help="How two channels are heard; official: scrambled, as by the released AVSyncD.", rich_help_panel=TIMING
    ),
]
CurvePath = Annotated[
    Path | None,
    typer.Option(
        "--curve", help="Motion curve to use, .json or .csv as asva keyframes writes it.", rich_help_panel=TIMING
    ),
]
Gain = Annotated[float | None, typer.Option(min=0.0, help="Factor of the motion curve.", rich_help_panel=TIMING)]
Threshold = Annotated[
    float | None, typer.Option(min=0.0, help="Motion below it, of 0 to 1, is none.", rich_help_panel=TIMING)
]
Attack = Annotated[
    float | None,
    typer.Option(min=0.0, help="Seconds in which the motion curve follows a rise.", rich_help_panel=TIMING),
]
Release = Annotated[
    float | None,
    typer.Option(min=0.0, help="Seconds in which the motion curve follows a fall.", rich_help_panel=TIMING),
]
LocalizerOption = Annotated[
    Localizer | None,
    typer.Option(
        "--localizer",
        help="What hears the motion: the model's own, or onsets; the latter by default where a model borrows one.",
        rich_help_panel=TIMING,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.", rich_help_panel=OUTPUT)]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, in place of words.", rich_help_panel=OUTPUT)
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", min=1, help="Processes; more than one need Ray (asva-kit\\[scale]).", rich_help_panel=MANY
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="Of a Ray cluster, such as auto or host:6379.", rich_help_panel=MANY),
]
Gpus = Annotated[
    float, typer.Option("--gpus", min=0.0, help="GPUs of each worker, where Ray finds any.", rich_help_panel=MANY)
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...", rich_help_panel=MACHINE)]
DtypeOption = Annotated[Dtype, typer.Option("--dtype", help="Precision of the networks.", rich_help_panel=MACHINE)]
OffloadOption = Annotated[
    Offload,
    typer.Option(
        "--offload", help="Save GPU memory: model is slower, group slower, sequential slowest.", rich_help_panel=MACHINE
    ),
]
StorageOption = Annotated[
    Storage,
    typer.Option("--storage", help="float8: networks wait in eight bits, half of bfloat16.", rich_help_panel=MACHINE),
]
Tiling = Annotated[
    bool, typer.Option("--tiling", help="Decode frames tile by tile: less memory.", rich_help_panel=MACHINE)
]
Compile = Annotated[
    bool,
    typer.Option("--compile", help="Compile the networks: minutes once, then faster steps.", rich_help_panel=MACHINE),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Agree to a download that the model needs.", rich_help_panel=MACHINE)
]


def parse_times(text: str) -> list[float]:
    """Seconds from ``0.2,0.9,1.4`` or a file; order and range are checked where the length of the clip is known."""
    if text.lower().endswith((".json", ".csv")):
        from asva_keyframe.curve_files import read_curve_file

        found = read_curve_file(Path(text))
        if found.keyframes is None:
            raise ValueError(f"`--keyframes`: '{text}' holds no keyframes.")
        return found.keyframes.tolist()
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise RequestError(
            f"`--keyframes` must be seconds with commas between, such as 0.2,0.9, got '{text}'."
        ) from None


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from ``320x512``."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise RequestError(f"`--size` must be height x width in pixels, such as 320x512, got '{text}'.")
    return int(match[1]), int(match[2])


def parse_words(text: str) -> list[str]:
    """Words from ``drum,left hand``."""
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise RequestError(f"`--words` must be words with commas between, such as drum,stick, got '{text}'.")
    return words


def parse_fields(items: list[str] | None, allowed: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """Values by name from ``NAME=VALUE``, where the value is YAML.

    Args:
        items: What `--set` was given.
        allowed: How the names may begin.
    """
    import yaml

    fields: dict[str, Any] = {}
    for item in items or []:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise RequestError(f"`--set` must be NAME=VALUE, such as data.seed=3, got '{item}'.")
        if not name.startswith(allowed):
            raise RequestError(f"`--set` must begin with {' or '.join(allowed)}, such as data.seed=3, got '{name}'.")
        try:
            fields[name] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RequestError(
                f"`--set` must be NAME=VALUE with a value in YAML, got '{item[:80]}': {reason}."
            ) from None
    return fields
