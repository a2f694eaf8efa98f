"""What a bin of a spectrogram shows of speech, effects and music: how long it lasts, how narrow it is, who speaks."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 0.064  # seconds; bins lie 15.6 Hz apart and frames 16 ms, at any rate
BINS = 513  # up to 8 kHz, where the cues of a whole frame are taken
LOW, HIGH = slice(5, 77), slice(160, BINS)  # 80 to 1200 Hz, 2.5 to 8 kHz
PITCHES = slice(40, 200)  # periods from 2.5 to 12.5 ms, of voices from 400 down to 80 Hz
FLOOR = 1e-3  # of the sound's mean magnitude
NAMES = (
    "over 5 frames",
    "over 21 frames",
    "over 41 frames",
    "over 9 bins",
    "over 25 bins",
    "lasting line",
    "short line",
    "onset",
    "low voice",
    "voicing",
    "octave",
    "octave squared",
    "loudness",
    "short line by octave",
)


def demix_cues(spectrum: Tensor) -> Tensor:
    """The cues that masks are made of, all of them logarithms and free of the sound's level.

    A bin that stands over the median of its neighbours in time does not last; one that stands over those in frequency
    is narrow. Music lasts in lines, strikes are short and wide, voices are lines that do not last. Three cues belong to
    whole frames: sudden loudness, the balance of low and high, and voicing, the strongest pitch of the cepstrum of what
    does not last, which is the activity of a voice.

    Args:
        spectrum: (c, f, t) complex, windows of 64 ms every 16 ms.

    Returns:
        (f, t, 14) in the order of ``NAMES``.
    """
    count = spectrum.shape[1]
    power = F.pad(spectrum.abs().square().mean(0), (0, 0, 0, max(BINS - count, 0)))
    power = power / power[:BINS].mean().clamp_min(1e-16)
    magnitude = power.sqrt() + FLOOR
    loudness = magnitude.log()
    median = {frames: running_median(loudness, frames, -1) for frames in (5, 21, 41)}
    line = {frames: median[frames] - running_median(median[frames], 25, -2) for frames in (5, 21)}
    passing = (magnitude - median[21].exp()).clamp_min(FLOOR)[:BINS]
    energy = magnitude.square().mean(0).log()[None]
    onset = energy - running_median(energy, 31, -1)
    balance = passing[LOW].square().mean(0).log() - passing[HIGH].square().mean(0).log()
    voicing = torch.fft.irfft(passing.log(), dim=0)[PITCHES].amax(0)
    octave = (torch.arange(len(power), device=power.device) / (WINDOW * 1000)).clamp(0.03, 8).log()[:, None]
    cues = (
        *(loudness - median[frames] for frames in (5, 21, 41)),
        *(loudness - running_median(loudness, bins, -2) for bins in (9, 25)),
        line[21],
        line[5],
        onset,
        smooth(balance)[None],
        smooth(voicing)[None],
        octave,
        octave.square(),
        loudness,
        octave * line[5],
    )
    return torch.stack([cue.expand_as(loudness) for cue in cues], dim=-1)[:count]


def running_median(values: Tensor, size: int, dim: int) -> Tensor:
    """Median of ``size`` (odd) neighbours along an axis of (f, t), ends repeated."""
    rows = values.movedim(dim, -1)
    padded = F.pad(rows[None], (size // 2, size // 2), mode="replicate")[0]
    # In blocks of rows, since a copy for every neighbour of a long sound would fill the memory.
    blocks = [block.unfold(-1, size, 1).median(-1).values for block in padded.split(64)]
    return torch.cat(blocks).movedim(-1, dim)


def smooth(values: Tensor, size: int = 5) -> Tensor:
    """(t,) mean of ``size`` neighbours, ends repeated."""
    padded = F.pad(values[None, None], (size // 2, size // 2), mode="replicate")
    return F.avg_pool1d(padded, size, 1)[0, 0]
