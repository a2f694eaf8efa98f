"""Loudness of the tracks: peaks as MTV sets them, and when a track counts as silent (MTV, appendix on data)."""

from collections.abc import Mapping

from torch import Tensor

from asva_audio.stems import Stems, level

# Peaks of the tracks in dBFS in the released code.
PEAKS = {"speech": -10.0, "effects": -15.0, "music": -20.0}
# Below this RMS in dBFS over the whole clip a track is silent; the paper gives the figure, RMS is our reading of it.
SILENCE = -45.0


def is_silent(waveform: Tensor, threshold: float = SILENCE) -> bool:
    """Whether the root mean square of (c, s) samples lies below ``threshold`` dBFS."""
    return level(waveform) < threshold


def set_levels(stems: Stems, peaks: Mapping[str, float] = PEAKS, *, silence: float = -float("inf")) -> Stems:
    """Every track scaled to its own peak, as MTV does before it listens.

    The result no longer sums to the sound. Digital silence stays silence.

    Args:
        stems: The tracks.
        peaks: Largest sample of each track in dBFS; a track that is not named stays as it is.
        silence: Tracks whose RMS lies below this many dBFS stay as they are, so that the crumbs a demixer leaves in an
            empty track are not blown up; ``SILENCE`` (-45) is a good choice. The released code has no such limit.

    Raises:
        ValueError: If ``peaks`` names no track.

    Example:
        >>> import torch
        >>> stems = Stems(*torch.tensor([[[0.5, 0.1]], [[0.0, 0.0]], [[-1.0, 0.2]]]), 16000)
        >>> [round(waveform.abs().max().item(), 3) for _, waveform in set_levels(stems).items()]
        [0.316, 0.0, 0.1]
    """
    tracks = dict(stems.items())
    if unknown := sorted(set(peaks) - set(tracks)):
        raise ValueError(f"`peaks` must name tracks of {sorted(tracks)}, got {unknown}.")
    for name, peak in peaks.items():
        largest = tracks[name].abs().max()
        if largest > 0 and not is_silent(tracks[name], silence):
            tracks[name] = tracks[name] * (10 ** (peak / 20) / largest)
    return Stems(**tracks, sample_rate=stems.sample_rate)
