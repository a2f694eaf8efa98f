"""Demixing by networks of the Demucs family, from weights that the user has: HTDemucs and the cinematic CDX23 model."""

import inspect
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from torch import Tensor

from asva_audio.sound import resample
from asva_audio.stems import TRACKS, Stems, check_sound
from asva_weights import ConversionError, read_content

if TYPE_CHECKING:
    from demucs.htdemucs import HTDemucs

# What the networks call their outputs. Those trained on songs know no effects: strikes end up in the music.
SOURCES = {
    **dict.fromkeys(("dialog", "dialogue", "speech", "vocals"), "speech"),
    **dict.fromkeys(("effect", "effects", "sfx"), "effects"),
    **dict.fromkeys(("music", "drums", "bass", "other", "guitar", "piano"), "music"),
}
NETWORK = "demucs.htdemucs.HTDemucs"


@dataclass(frozen=True, eq=False)
class DemucsDemixer:
    """A network of the Demucs family as a demixer.

    Attributes:
        network: In evaluation mode.
        tracks: Which of speech, effects and music each of ``network.sources`` belongs to.
        overlap: Share of a segment that the next one covers; 0.8 in MTV, whose random shift of the sound is left out.
    """

    network: "HTDemucs"
    tracks: Mapping[str, str]
    overlap: float = 0.8

    def __post_init__(self) -> None:
        if sorted(self.tracks) != sorted(self.network.sources) or not set(self.tracks.values()) <= set(TRACKS):
            raise ValueError(
                f"`tracks` must give each of {list(self.network.sources)} one of {', '.join(TRACKS)}, "
                f"got {dict(self.tracks)}."
            )
        if not 0 <= self.overlap < 1:
            raise ValueError(f"`overlap` must lie in [0, 1), got {self.overlap}.")

    @torch.no_grad()
    def __call__(self, waveform: Tensor, sample_rate: int) -> Stems:
        """Take a sound apart; what the network leaves of it goes to the effects.

        Args:
            waveform: (c, s) float32 sound. Two channels are heard together, any other number one by one.
            sample_rate: Its rate in Hz; the network hears it at its own.

        Raises:
            ValueError: If the sound is empty or not finite, or its shape or rate is wrong.
        """
        from demucs.apply import apply_model

        check_sound(waveform, sample_rate)
        device, rate = next(self.network.parameters()).device, self.network.samplerate
        heard = resample(waveform, sample_rate, rate).to(device)
        pairs = heard[None] if len(heard) == 2 else heard[:, None].expand(-1, 2, -1)
        parts = apply_model(self.network, pairs, shifts=0, overlap=self.overlap)  # (b, sources, 2, s)
        parts = parts[0] if len(heard) == 2 else parts.mean(2).transpose(0, 1)
        parts = resample(parts, rate, sample_rate)[..., : waveform.shape[-1]].to(waveform.device)
        found = {track: torch.zeros_like(waveform) for track in TRACKS}
        for name, part in zip(self.network.sources, parts, strict=True):
            found[self.tracks[name]] = found[self.tracks[name]] + part
        return Stems(found["speech"], waveform - found["speech"] - found["music"], found["music"], sample_rate)


def load_demucs(
    path: str | os.PathLike[str], tracks: Mapping[str, str] | None = None, *, overlap: float = 0.8
) -> DemucsDemixer:
    """A demixer from a checkpoint of an HTDemucs, such as ``97d170e1-dbb4db15.th`` of MVSEP-CDX23, which MTV uses.

    The file may name the class ``HTDemucs`` and fractions beside tensors and plain values; whatever else it would run
    is refused. Quantised networks and bags of several are not read.

    Args:
        path: ``.th`` as Demucs saves it, or ``.safetensors`` with its settings in the metadata.
        tracks: Which of speech, effects and music each source of the network belongs to; known names need none.
        overlap: See :class:`DemucsDemixer`.

    Raises:
        ImportError: If the package demucs is not installed.
        ValueError: If the file is missing or damaged, would run code, or is not an HTDemucs.
    """
    if not Path(path).is_file():
        raise ValueError(f"`path` must name a checkpoint file, got {path}, which does not exist.")
    HTDemucs = _network_class()
    package = _read_safetensors(path) if Path(path).suffix == ".safetensors" else _read_pickle(path)
    with _explained(path):
        inspect.signature(HTDemucs).bind(*package["args"], **package["kwargs"])
        with torch.device("meta"):  # whatever size the settings ask for, memory is taken by what the file holds
            network = HTDemucs(*package["args"], **package["kwargs"])
        network.load_state_dict({key: value.float() for key, value in package["state"].items()}, assign=True)
    if tracks is None:
        if unknown := [name for name in network.sources if name not in SOURCES]:
            raise ValueError(f"`tracks` must name the track of each of {list(network.sources)}; {unknown} not known.")
        tracks = {name: SOURCES[name] for name in network.sources}
    return DemucsDemixer(network.eval(), tracks, overlap)


def _network_class() -> type["HTDemucs"]:
    try:
        from demucs.htdemucs import HTDemucs
    except ImportError as error:
        raise ImportError(
            "`demucs` must be installed to run its networks; install it with `pip install 'asva-audio[demucs]'`."
        ) from error
    return HTDemucs


@contextmanager
def _explained(path: str | os.PathLike[str]) -> Generator[None]:
    try:
        yield
    except ConversionError:
        raise
    except Exception as error:
        raise ValueError(
            f"`path` must hold a whole checkpoint of one HTDemucs, got {path}, which is damaged or another network."
        ) from error


def _read_pickle(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    package = read_content(path, {NETWORK: NETWORK, "fractions.Fraction": _ratio})
    with _explained(path):
        if package["klass"] != NETWORK:
            raise TypeError(package["klass"])
    return package


def _read_safetensors(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    with _explained(path), safe_open(path, framework="pt") as file:
        stated = file.metadata() or {}
        if stated["klass"] != NETWORK or "structure" in stated:
            raise TypeError(stated["klass"])
        settings = {name: json.loads(stated[name], object_hook=_fraction) for name in ("args", "kwargs")}
        return settings | {"state": {key: file.get_tensor(key) for key in file.keys()}}


def _fraction(value: dict[str, Any]) -> Any:
    return _ratio(value["numerator"], value["denominator"]) if value.get("_type") == "fraction" else value


def _ratio(*parts: int | str) -> Fraction:
    """A fraction as pickles write it, by its text or its two numbers; texts such as ``1e999999999`` are none."""
    numbers = parts if len(parts) == 2 else str(parts[0]).split("/")
    return Fraction(*(int(number) for number in numbers))
