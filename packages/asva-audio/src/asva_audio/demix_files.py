"""A sound file taken apart into three sound files, with a record of how (MTV, section 3.1)."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from asva_audio.demix_masks import MaskDemixer
from asva_audio.demix_networks import load_demucs
from asva_audio.levels import is_silent
from asva_audio.reading import load_audio
from asva_audio.sound import Audio
from asva_audio.stems import Demixer, GivenStems, Stems, level
from asva_audio.writing import write_sound
from asva_weights.files import file_digest, package_versions, staged, write_json


def demix_file(
    source: Path,
    folder: Path,
    *,
    given: Mapping[str, Path] | None = None,
    rest: str = "effects",
    weights: Path | None = None,
    start: float = 0.0,
    duration: float | None = None,
) -> dict[str, Any]:
    """Write speech.wav, effects.wav and music.wav, which sum to the sound, and stems.json.

    Args:
        source: A sound, or a video with sound.
        folder: Where to write; made if only its last part is missing. Files of these names are replaced.
        given: Tracks that are known, by their names; what of the sound they leave goes to `rest`.
        rest: The track that takes it.
        weights: Checkpoint of an HTDemucs; without it and without tracks, masks do it, which are approximate.
        start: Seconds into the files at which to begin.
        duration: Seconds to read; all without it.

    Returns:
        What stems.json holds: source, method, levels in dBFS (None for digital silence), versions.

    Raises:
        ValueError: If a file cannot be read, or a given track does not fit the sound.
        ImportError: If `weights` are given and torchaudio is missing.
    """
    given = given or {}
    if given and weights is not None:
        raise ValueError("`given` and `weights` exclude each other: give one.")
    audio = _read(source, start, duration, "source")
    demixer = _demixer(given, rest, weights, start, duration)
    stems = demixer(audio.waveform, audio.sample_rate)
    method = "given" if given else "masks" if weights is None else "demucs"
    record = {"source": _named(source), "start": start, "method": method, "approximate": method == "masks"}
    if weights is not None:
        record["weights"] = _named(weights)
    if isinstance(demixer, GivenStems):
        record["given"] = {name: _named(path) for name, path in given.items()}
        record["rest"] = {"track": rest, "dbfs": _finite_level(demixer.rest_of(audio.waveform, audio.sample_rate))}
    record |= _described(stems) | {"versions": package_versions()}
    folder.mkdir(exist_ok=True)
    targets = [folder / f"{name}.wav" for name, _ in stems.items()]
    with staged(*targets, folder / "stems.json") as drafts:
        for draft, (_, waveform) in zip(drafts[:-1], stems.items(), strict=True):
            write_sound(draft, Audio(waveform, stems.sample_rate))
        write_json(drafts[-1], record)
    return record


_network = lru_cache(maxsize=1)(load_demucs)  # many files in turn are taken apart by one


@contextmanager
def _naming(argument: str) -> Generator[None]:
    """Let an error about a path say which one it was."""
    try:
        yield
    except ValueError as error:
        raise type(error)(str(error).replace("`path`", f"`{argument}`")) from error


def _read(path: Path, start: float, duration: float | None, argument: str) -> Audio:
    with _naming(argument):
        return load_audio(path, sample_rate=None, mono=False, start=start, duration=duration)


def _demixer(
    given: Mapping[str, Path], rest: str, weights: Path | None, start: float, duration: float | None
) -> Demixer:
    if given:
        tracks: dict[str, Any] = {name: _read(path, start, duration, name) for name, path in given.items()}
        return GivenStems(**tracks, rest=rest)
    if weights is None:
        return MaskDemixer()
    with _naming("weights"):
        return _network(weights)


def _named(path: Path) -> dict[str, str]:
    return {"name": path.name, "sha256": file_digest(path)}


def _described(stems: Stems) -> dict[str, Any]:
    tracks = {
        name: {"file": f"{name}.wav", "dbfs": _finite_level(waveform), "silent": is_silent(waveform)}
        for name, waveform in stems.items()
    }
    channels, num_samples = stems.speech.shape
    return {"sample_rate": stems.sample_rate, "channels": channels, "num_samples": num_samples, "tracks": tracks}


def _finite_level(waveform: Tensor) -> float | None:
    """Level in dBFS; None for digital silence, which JSON cannot hold as a number."""
    found = level(waveform)
    return found if math.isfinite(found) else None
