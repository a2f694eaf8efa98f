"""`asva demix`: a sound taken apart into speech, effects and music, and a record of how."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asva.cli import options
from asva.cli.terminal import table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.read_inputs import naming
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_audio import Audio, Demixer, Stems


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
) -> None:
    """Take a sound apart into speech, effects and music.

    Writes speech.wav, effects.wav and music.wav, which sum to the sound, and stems.json, which says how they were made.
    The masks are approximate: listen before you build on them.

    Examples:

      asva demix clip.mp4 --output tracks

      asva demix clip.mp4 --output tracks --stem speech=voice.wav --rest music

      asva demix clip.mp4 --output tracks --method demucs --weights 97d170e1-dbb4db15.th
    """
    given = _parse_stems(stem or [])
    chosen = method or (Method.given if given else Method.masks)
    _check_choice(chosen, bool(given), weights)
    targets = {name: output / f"{name}.wav" for name in Track} | {"json": output / "stems.json"}
    if output.exists() and not output.is_dir():
        raise RequestError(f"'{output}' is a file: name a folder.")
    if output.is_dir():
        options.check_targets(list(targets.values()), overwrite)
    elif not output.parent.is_dir():
        raise RequestError(f"Folder '{output.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    audio = _read(source, start, duration, "SOURCE")
    demixer = _demixer(chosen, given, rest, weights, start, duration)
    stems = demixer(audio.waveform, audio.sample_rate)
    record = {"source": _named(source), "start": start, "method": str(chosen), "approximate": chosen is Method.masks}
    if weights is not None and chosen is Method.demucs:
        record["weights"] = _named(weights)
    if given:
        record["given"] = {name: _named(path) for name, path in given.items()}
        record["rest"] = {"track": str(rest), "dbfs": _finite(demixer.rest_of(audio.waveform, audio.sample_rate))}
    _write(targets, stems, record | _described(stems))
    _print(stems, record, output)


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


def _read(path: Path, start: float, duration: float | None, option: str) -> Audio:
    from asva_audio import load_audio

    with naming(option):
        return load_audio(path, sample_rate=None, mono=False, start=start, duration=duration)


def _demixer(
    method: Method, given: dict[str, Path], rest: Track, weights: Path | None, start: float, duration: float | None
) -> Demixer:
    from asva_audio import GivenStems, MaskDemixer, load_demucs

    if method is Method.given:
        tracks = {name: _read(path, start, duration, f"--stem {name}") for name, path in given.items()}
        return GivenStems(**tracks, rest=str(rest))
    if method is Method.demucs:
        try:
            with naming("--weights"):
                return load_demucs(weights)
        except ImportError as error:  # a line for the user, not a defect
            raise RequestError(str(error)) from None
    return MaskDemixer()


def _named(path: Path) -> dict[str, str]:
    from asva_weights.files import file_digest

    return {"name": path.name, "sha256": file_digest(path)}


def _finite(waveform: Any) -> float | None:
    """Level in dBFS, None for digital silence, which JSON cannot hold as a number."""
    from asva_audio import level

    found = level(waveform)
    return found if found > -float("inf") else None


def _described(stems: Stems) -> dict[str, Any]:
    from asva_audio import is_silent

    return {
        "sample_rate": stems.sample_rate,
        "channels": len(stems.speech),
        "num_samples": stems.speech.shape[-1],
        "tracks": {
            name: {"file": f"{name}.wav", "dbfs": _finite(waveform), "silent": is_silent(waveform)}
            for name, waveform in stems.items()
        },
    }


def _write(targets: dict[str, Path], stems: Stems, record: dict[str, Any]) -> None:
    from asva_audio import Audio, write_sound
    from asva_weights.files import package_versions, staged, write_json

    targets["json"].parent.mkdir(exist_ok=True)
    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        for name, waveform in stems.items():
            write_sound(draft[name], Audio(waveform, stems.sample_rate))
        write_json(draft["json"], record | {"versions": package_versions()})


def _print(stems: Stems, record: dict[str, Any], output: Path) -> None:
    rows = []
    for name, waveform in stems.items():
        found = _finite(waveform)
        rows.append((name, "silent" if found is None else f"{found:.1f} dBFS", output / f"{name}.wav"))
    table(("track", "level", "file"), rows)
    if record["approximate"]:
        note(
            "Note: masks are approximate. Pass tracks that you have (--stem) or a network's weights (--method demucs)."
        )
    if (left := record.get("rest", {}).get("dbfs")) is not None:
        note(f"Note: the given tracks leave {left:.1f} dBFS of the sound, which went to {record['rest']['track']}.")
