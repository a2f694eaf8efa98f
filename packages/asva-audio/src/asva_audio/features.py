"""From a waveform through frozen encoders to the features that :class:`asva_audio.MultiFeatureEncoder` taps."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from asva_audio.taps import MultiFeatureEncoder
from asva_audio.windows import TimedTokens


class AudioEncoder(Protocol):
    """What an encoder must offer to be tapped; :class:`ImageBindAudioEncoder` and :class:`BEATsEncoder` do.

    Its ``config`` states ``num_hidden_layers``; its ``hidden_states`` begin with the input of the first block.
    """

    @property
    def config(self) -> Any: ...

    def spectrogram(self, waveform: Tensor, sample_rate: int = 16000) -> Tensor:
        """(b, s) sound -> the input of the encoder."""

    def null_spectrogram(self, batch: int = 1, seconds: float = 2.0, device: torch.device | None = None) -> Tensor:
        """The input that stands for "no sound"."""

    def token_times(self, spectrogram: Tensor) -> Tensor:
        """(n, 2) seconds of the last n tokens; those before them (class tokens) hear everything."""

    def __call__(self, spectrogram: Tensor, output_hidden_states: bool = False) -> Any:
        """:class:`AudioEncoderOutput` with the tokens of all layers."""


def multi_feature_tokens(
    encoders: Mapping[str, AudioEncoder], taps: MultiFeatureEncoder, waveform: Tensor, sample_rate: int = 16000
) -> TimedTokens:
    """Timed tokens of a sound: spectrograms, encoders without gradients, tapped layers, projections.

    Args:
        encoders: The encoders that ``taps`` names; others are not run.
        taps: Which layers, and their projections (with gradients, where those are on).
        waveform: (b, s) sound.
        sample_rate: Of the sound in hertz; the encoders were trained at 16000.

    Returns:
        Tokens (b, n, d) and their seconds; class tokens are left out, for they hear the whole sound.

    Raises:
        ValueError: If an encoder is missing or has not the layers tapped.
    """
    return taps(*audio_features(encoders, taps.layers, waveform, sample_rate))


def null_feature_tokens(
    encoders: Mapping[str, AudioEncoder],
    taps: MultiFeatureEncoder,
    *,
    batch: int = 1,
    seconds: float = 2.0,
    device: torch.device | None = None,
) -> TimedTokens:
    """Timed tokens of "no sound", for dropped conditions and guidance: zeros in the space of each spectrogram.

    As in AVSyncD and KeyVID this is not the spectrogram of silence, which is a sound.

    Args:
        encoders: The encoders that ``taps`` names.
        taps: Which layers, and their projections.
        batch: Number of equal rows b.
        seconds: Length of the sound stood for, so that the tokens are as many.
        device: Where the encoders run, if not where they lie.

    Returns:
        Tokens (b, n, d) and their seconds.
    """
    _check(encoders, taps.layers)
    inputs = {name: encoders[name].null_spectrogram(1, seconds, device) for name in taps.layers}
    timed = taps(*_run(encoders, taps.layers, inputs))
    return TimedTokens(timed.tokens.expand(batch, -1, -1), timed.times)


@torch.no_grad()
def audio_features(
    encoders: Mapping[str, AudioEncoder],
    layers: Mapping[str, Sequence[int]],
    waveform: Tensor,
    sample_rate: int = 16000,
) -> tuple[dict[str, list[Tensor]], dict[str, Tensor]]:
    """Tapped layers of frozen encoders, to be projected now or kept for later.

    Args:
        encoders: Encoders by name.
        layers: For each encoder the blocks whose outputs are wanted, counted from 0.
        waveform: (b, s) sound.
        sample_rate: Of the sound in hertz; the encoders were trained at 16000.

    Returns:
        For each encoder its features, each (b, n, d), and the (n, 2) seconds of its tokens.

    Raises:
        ValueError: If an encoder is missing or has not the layers tapped, or the shape is not (b, s).
    """
    if waveform.ndim != 2:
        raise ValueError(f"`waveform` must have shape (b, s), got {tuple(waveform.shape)}.")
    _check(encoders, layers)
    return _run(encoders, layers, {name: encoders[name].spectrogram(waveform, sample_rate) for name in layers})


@torch.no_grad()
def _run(
    encoders: Mapping[str, AudioEncoder], layers: Mapping[str, Sequence[int]], inputs: Mapping[str, Tensor]
) -> tuple[dict[str, list[Tensor]], dict[str, Tensor]]:
    features, times = {}, {}
    for name, spectrogram in inputs.items():
        states = encoders[name](spectrogram, output_hidden_states=True).hidden_states
        times[name] = encoders[name].token_times(spectrogram)
        features[name] = [states[layer + 1][:, -len(times[name]) :] for layer in layers[name]]
    return features, times


def _check(encoders: Mapping[str, AudioEncoder], layers: Mapping[str, Sequence[int]]) -> None:
    if missing := sorted(set(layers) - set(encoders)):
        raise ValueError(f"`encoders` must hold {sorted(layers)}, got {sorted(encoders)}; {missing} missing.")
    for name, wanted in layers.items():
        count = encoders[name].config.num_hidden_layers
        if min(wanted) < 0 or max(wanted) >= count:
            raise ValueError(
                f"`layers` of {name!r} must lie in [0, {count - 1}], got {list(wanted)}; it has {count} blocks."
            )
