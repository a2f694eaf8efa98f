"""Speech, effects and music by masks over time and frequency: nothing to download, approximate."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asva_audio.demix_cues import NAMES, WINDOW, demix_cues
from asva_audio.stems import Stems, check_sound

# How each cue speaks for speech, effects and music; fitted on synthetic mixes by `benchmarks/demixing.py --fit`.
WEIGHTS = {
    "over 5 frames": (-0.593, 0.117, 0.783),
    "over 21 frames": (0.742, -0.545, -0.547),
    "over 41 frames": (0.958, 0.421, -1.400),
    "over 9 bins": (0.187, -0.533, 0.073),
    "over 25 bins": (-0.084, 0.027, 0.115),
    "lasting line": (-0.147, -1.122, 0.761),
    "short line": (-0.036, -0.084, 0.137),
    "onset": (-0.503, 0.593, 0.045),
    "low voice": (0.065, -0.070, -0.004),
    "voicing": (4.438, -6.878, -0.627),
    "octave": (0.071, 0.766, -0.585),
    "octave squared": (-0.137, 0.051, 0.125),
    "loudness": (-0.200, 0.648, -0.230),
    "short line by octave": (-0.437, 0.395, 0.189),
}
BIAS = (-1.977, 3.233, -0.039)


@dataclass(frozen=True)
class MaskDemixer:
    """Shares every bin of the spectrogram out by what it looks like: lasting lines, wide strikes, gliding voices.

    Approximate: half of what ideal masks would gain on synthetic mixes, a third on recorded ones (docs/benchmarks.md).
    A bark passes for a voice, a drum for an effect, singing for both voice and music. Take tracks that were made apart
    (:class:`asva_audio.GivenStems`) or a network (:func:`asva_audio.load_demucs`) where there are any.
    """

    def __call__(self, waveform: Tensor, sample_rate: int) -> Stems:
        """Take a sound apart.

        Args:
            waveform: (c, s) float32 sound; all channels share the masks.
            sample_rate: Its rate in Hz.

        Raises:
            ValueError: If the sound is empty or not finite, or its shape or rate is wrong.
        """
        check_sound(waveform, sample_rate)
        spectrum = spectrum_of(waveform, sample_rate)
        masks = soft_masks(demix_cues(spectrum))
        size = 2 * (spectrum.shape[1] - 1)
        window = torch.hann_window(size, device=waveform.device)
        speech, music = (
            torch.istft(spectrum * masks[..., track], size, size // 4, window=window, length=waveform.shape[-1])
            for track in (0, 2)
        )
        return Stems(speech, waveform - speech - music, music, sample_rate)


def spectrum_of(waveform: Tensor, sample_rate: int) -> Tensor:
    """(c, s) -> (c, f, t) complex: windows of 64 ms every 16 ms, silence around the sound."""
    size = 4 * max(round(sample_rate * WINDOW / 4), 1)
    window = torch.hann_window(size, device=waveform.device)
    return torch.stft(waveform, size, size // 4, window=window, pad_mode="constant", return_complex=True)


def soft_masks(cues: Tensor) -> Tensor:
    """(f, t, k) cues -> (f, t, 3) shares of speech, effects and music, which sum to 1."""
    weights = torch.tensor([WEIGHTS[name] for name in NAMES], device=cues.device)
    return (cues.clamp(-20, 20) @ weights + torch.tensor(BIAS, device=cues.device)).softmax(-1)
