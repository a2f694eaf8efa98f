"""`asva demix`: a sound taken apart into speech, effects and music, and a record of how."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.targets import check_targets
from asva_pipelines.notes import note


class Method(StrEnum):
    """Ways to take a sound apart."""

    masks = "masks"
    demucs = "demucs"
    given = "given"


class Track(StrEnum):
    """The tracks."""

    speech = "speech"
    effects = "effects"
    music = "music"


def demix(
    source: Annotated[Path, typer.Argument(help="A sound, or a video with sound.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write to; made if only its last part is missing.")
    ],
    method: Annotated[
        Method | None,
        typer.Option(help="masks: approximate, needs nothing (default); demucs: --weights; given: --stem."),
    ] = None,
    stem: Annotated[
        list[str] | None, typer.Option("--stem", help="A track that you have, such as speech=voice.wav; repeatable.")
    ] = None,
    rest: Annotated[Track, typer.Option(help="With --stem: the track that takes what the given ones leave.")] = (
        Track.effects
    ),
    weights: Annotated[
        Path | None, typer.Option(help="With demucs: checkpoint of an HTDemucs, such as 97d170e1-dbb4db15.th of CDX23.")
    ] = None,
    start: options.Start = 0.0,
    duration: Annotated[float | None, typer.Option(help="Seconds to read; all by default.")] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Take a sound apart into speech, effects and music.

    Writes speech.wav, effects.wav and music.wav, which sum to the sound, and stems.json, which says how they were made.
    --json prints the same. The masks are approximate: listen before you build on them.

    Examples:

      asva demix clip.mp4 --output tracks

      asva demix clip.mp4 --output tracks --stem speech=voice.wav --rest music

      asva demix clip.mp4 --output tracks --method demucs --weights 97d170e1-dbb4db15.th
    """
    given = _parse_stems(stem or [])
    chosen = method or (Method.given if given else Method.masks)
    _check_choice(chosen, bool(given), weights)
    if output.exists() and not output.is_dir():
        raise RequestError(f"'{output}' is a file: name a folder.")
    if output.is_dir():
        check_targets([*(output / f"{name}.wav" for name in Track), output / "stems.json"], overwrite)
    elif not output.parent.is_dir():
        raise RequestError(f"Folder '{output.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    from asva_audio import demix_file

    try:
        record = demix_file(
            source, output, given=given, rest=str(rest), weights=weights, start=start, duration=duration
        )
    except ImportError as error:  # a line for the user, not a defect
        raise RequestError(str(error)) from None
    if json:
        print_json(record)
    else:
        _print(record, output)
    if record["approximate"]:
        note(
            "Note: masks are approximate. Pass tracks that you have (--stem) or a network's weights (--method demucs)."
        )
    if (left := record.get("rest", {}).get("dbfs")) is not None:
        note(f"Note: the given tracks leave {left:.1f} dBFS of the sound, which went to {record['rest']['track']}.")


def _parse_stems(entries: list[str]) -> dict[str, Path]:
    given = {}
    for entry in entries:
        name, sign, path = entry.partition("=")
        if not sign or not path or name not in list(Track):
            raise RequestError(f"`--stem` must be track=file, such as speech=voice.wav, got '{entry}'.")
        if name in given:
            raise RequestError(f"`--stem` must name each track once, got {name} twice.")
        given[name] = Path(path)
    return given


def _check_choice(method: Method, given: bool, weights: Path | None) -> None:
    if (method is Method.given) != given:
        raise RequestError("`--method given` and `--stem` go together: pass both, or --stem alone.")
    if (method is Method.demucs) != (weights is not None):
        raise RequestError("`--method demucs` and `--weights` go together: pass both.")


def _print(record: dict[str, Any], output: Path) -> None:
    levels = {name: track["dbfs"] for name, track in record["tracks"].items()}
    rows = [
        (name, "silent" if level is None else f"{level:.1f} dBFS", output / f"{name}.wav")
        for name, level in levels.items()
    ]
    table(("track", "level", "file"), rows)
