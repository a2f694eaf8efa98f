"""Speech, effects and music by masks over time and frequency: no network, no weights, approximate."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from asva_audio.stems import Stems, check_sound

WINDOW = 0.064  # seconds; bins then lie 15.6 Hz apart at any rate
MEDIAN = 41


@dataclass(frozen=True)
class MaskDemixer:
    """Long horizontal lines of the spectrogram are music, vertical ones effects, the voiced rest speech."""

    def __call__(self, waveform: Tensor, sample_rate: int) -> Stems:
        """Take a sound apart.

        Args:
            waveform: (c, s) float32 sound; all channels share the masks.
            sample_rate: Its rate in Hz.

        Raises:
            ValueError: If the sound is empty or not finite, or its shape or rate is wrong.
        """
        check_sound(waveform, sample_rate)
        size = 4 * max(round(sample_rate * WINDOW / 4), 1)
        window = torch.hann_window(size, device=waveform.device)
        options = {"n_fft": size, "hop_length": size // 4, "window": window, "center": True}
        spectrum = torch.stft(waveform, **options, pad_mode="constant", return_complex=True)
        speech, music = (
            torch.istft(spectrum * mask, **options, length=waveform.shape[-1]) for mask in _masks(spectrum, sample_rate)
        )
        return Stems(speech, waveform - speech - music, music, sample_rate)


def _masks(spectrum: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """Masks (f, t) of speech and music."""
    magnitude = spectrum.abs().square().mean(0).sqrt()
    lasting, sudden = running_median(magnitude, MEDIAN, -1), running_median(magnitude, MEDIAN, -2)
    rest = (magnitude - torch.maximum(lasting, sudden)).clamp_min(0)
    hertz = torch.linspace(0, sample_rate / 2, len(magnitude), device=magnitude.device)
    voiced = rest * ((hertz > 80) & (hertz < 5000))[:, None]
    total = voiced.square() + sudden.square() + (rest - voiced).square() + lasting.square() + 1e-20
    return voiced.square() / total, lasting.square() / total


def running_median(values: Tensor, size: int, dim: int) -> Tensor:
    """Median of ``size`` (odd) neighbours along an axis of (f, t), ends repeated."""
    rows = values.movedim(dim, -1)
    padded = F.pad(rows[None], (size // 2, size // 2), mode="replicate")[0]
    # Row by row in blocks, since a copy per neighbour of a long sound would fill the memory.
    blocks = [block.unfold(-1, size, 1).median(-1).values for block in padded.split(64)]
    return torch.cat(blocks).movedim(-1, dim)
