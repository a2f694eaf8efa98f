"""What a control hears of a sound: layers of encoders, or tracks, each with its seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_audio import MaskDemixer
from asva_audio.mtv_features import SAMPLE_RATE, level_voices, track_features
from asva_dit.controls import Features
from asva_pipelines.mtv.parts import read_part
from asva_unet.losses.audio_window import layer_tokens

_PIECE = 2.0  # seconds that ImageBind hears at once
TRACKS = ("speech", "effects", "music")


def read_ears(folder: Path) -> dict[str, Any]:
    """The audio encoders in a control's folder, by name.

    Raises:
        ModelError: If one is damaged.
    """
    return {part.name: read_part(part.name, part).eval() for part in sorted((folder / "ears").glob("*"))}


def track_sounds(waveform: Tensor, sources: Mapping[str, int]) -> dict[str, Tensor]:
    """Sounds (b, s) by track where the sources are tracks, taken apart by masks; effects alone are the whole sound."""
    if list(sources) == ["effects"]:
        return {"effects": waveform}
    apart = [level_voices(dict(MaskDemixer()(one[None], SAMPLE_RATE).items())) for one in waveform.cpu()]
    return {name: torch.cat([sounds[name] for sounds in apart]).to(waveform) for name in sources}


@torch.no_grad()
def features_of(
    ears: Mapping[str, Any], sources: Mapping[str, int], sounds: Mapping[str, Tensor] | Tensor, seconds: float
) -> dict[str, Features]:
    """Features of every source.

    Args:
        ears: Audio encoders by name; a source is a name, for all that it gives, or ``name.layer``. Tracks are heard by
            the only one.
        sources: Widths by source.
        sounds: (b, s) at 16 kHz; of a control with tracks by track, where they are known.
        seconds: That they shall last; a shorter sound is followed by silence.

    Raises:
        ValueError: If a source has no encoder.
    """
    if isinstance(sounds, Tensor):
        sounds = track_sounds(sounds, sources) if set(sources) <= set(TRACKS) else dict.fromkeys(sources, sounds)
    heard = {}
    for source in sources:
        name, _, layer = source.partition(".")
        ear = next(iter(ears.values()), None) if source in TRACKS else ears.get(name)
        if ear is None:
            raise ValueError(f"`ears` must hold an encoder for {source}, got {', '.join(ears) or 'none'}.")
        length = round(seconds * SAMPLE_RATE)
        sound = torch.nn.functional.pad(sounds[source], (0, max(length - sounds[source].shape[-1], 0)))[..., :length]
        heard[source] = _heard(ear, int(layer) if layer else None, sound, seconds)
    return heard


def _heard(ear: Any, layer: int | None, sound: Tensor, seconds: float) -> Features:
    if hasattr(ear, "spectrogram"):  # ImageBind, BEATs
        return _in_pieces(ear, layer or 0, sound, seconds)
    rate = getattr(ear.config, "fps", 25)
    count = max(round(seconds * rate), 1)
    tokens = track_features(ear, sound, count, count, rate)  # (b, f, layers, d)
    if hasattr(ear, "frame_features"):  # its layers are pieces of the frame's time
        tokens = tokens.flatten(1, 2)
    else:
        tokens = tokens.flatten(2) if layer is None else tokens[:, :, layer]
    return Features(tokens, (torch.arange(tokens.shape[1], dtype=torch.float64) + 0.5) / tokens.shape[1] * count / rate)


def _in_pieces(ear: Any, layer: int, sound: Tensor, seconds: float) -> Features:
    """Tokens of pieces of two seconds, one after the other."""
    length, b = round(_PIECE * SAMPLE_RATE), len(sound)
    count = -(-sound.shape[-1] // length)
    padded = torch.nn.functional.pad(sound, (0, count * length - sound.shape[-1]))
    mel = ear.spectrogram(padded.unflatten(1, (count, length)).flatten(0, 1))
    tokens = layer_tokens(ear, mel, [layer])[0].unflatten(0, (b, count)).flatten(1, 2)
    own = ear.token_times(mel).double().mean(dim=1).cpu()
    times = (own + _PIECE * torch.arange(count, dtype=torch.float64)[:, None]).flatten()
    inside = times <= seconds
    return Features(tokens[:, inside.to(tokens.device)], times[inside])
