"""A sound in memory: its samples and rate, cut, padded and resampled by seconds."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Width and roll-off of torchaudio's windowed sinc, which the original code uses as it comes.
SINC_ZEROS, SINC_ROLLOFF = 6, 0.99
# Above this many weights the filter bank of two unrelated rates is applied output by output.
FILTER_LIMIT = 1 << 22


class AudioError(ValueError):
    """A sound that cannot be used, in one line that names the file and the mend."""


@dataclass(frozen=True, eq=False)
class Audio:
    """A sound.

    Attributes:
        waveform: (c, s) float32, full scale is [-1, 1].
        sample_rate: Samples per second.
    """

    waveform: Tensor
    sample_rate: int

    def __post_init__(self) -> None:
        if self.waveform.ndim != 2 or self.waveform.dtype != torch.float32:
            raise ValueError(
                f"`waveform` must be float32 of shape (c, s), "
                f"got {self.waveform.dtype} of shape {tuple(self.waveform.shape)}."
            )
        if self.sample_rate < 1:
            raise ValueError(f"`sample_rate` must be at least 1, got {self.sample_rate}.")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.waveform.shape[-1] / self.sample_rate


def cut(audio: Audio, start: float = 0.0, duration: float | None = None) -> Audio:
    """The piece of a sound from ``start`` on, at most ``duration`` seconds long.

    Raises:
        ValueError: If ``start`` is negative or not before the end, or ``duration`` is not positive.
    """
    check_range(start, duration)
    if start >= audio.duration:
        raise ValueError(f"`start` must lie before the end of the sound at {audio.duration:g} s, got {start:g}.")
    first = round(start * audio.sample_rate)
    last = None if duration is None else first + round(duration * audio.sample_rate)
    return Audio(audio.waveform[:, first:last], audio.sample_rate)


def fit(audio: Audio, duration: float) -> Audio:
    """A sound of exactly ``duration`` seconds: cut at its end, or silence added there.

    Raises:
        ValueError: If ``duration`` is not positive.

    Example:
        >>> fit(Audio(torch.ones(1, 8000), 16000), 2.0).waveform.shape
        torch.Size([1, 32000])
    """
    check_range(0.0, duration)
    missing = round(duration * audio.sample_rate) - audio.waveform.shape[-1]
    return Audio(F.pad(audio.waveform, (0, missing)), audio.sample_rate)


def resample(waveform: Tensor, orig: int, new: int) -> Tensor:
    """Windowed-sinc resampling, equal to ``torchaudio.functional.resample`` as it comes.

    Rates without a common divisor (11127 -> 16000) need no large filter bank here; equal to 1e-4 then.

    Args:
        waveform: (..., s) samples at ``orig`` Hz.
        orig: Rate of ``waveform`` in Hz.
        new: Rate wanted in Hz.

    Returns:
        (..., ceil(s * new / orig)) samples.

    Raises:
        ValueError: If a rate is not a positive whole number.
    """
    for name, rate in (("orig", orig), ("new", new)):
        if rate != int(rate) or rate < 1:
            raise ValueError(f"`{name}` must be a positive whole number of Hz, got {rate}.")
    divisor = math.gcd(int(orig), int(new))
    step, phases = int(orig) // divisor, int(new) // divisor
    if step == phases or waveform.shape[-1] == 0:
        return waveform
    if phases * (step + 2 * _half_width(step, phases)) <= FILTER_LIMIT:
        from torchaudio.functional import resample as torchaudio_resample

        return torchaudio_resample(waveform, int(orig), int(new))
    flat = waveform.reshape(-1, waveform.shape[-1])
    return _resample_each(flat, step, phases).reshape(*waveform.shape[:-1], -1)


def check_range(start: float, duration: float | None) -> None:
    if not start >= 0 or math.isinf(start):
        raise ValueError(f"`start` must be at least 0 seconds, got {start}.")
    if duration is not None and (not duration > 0 or math.isinf(duration)):
        raise ValueError(f"`duration` must be a positive number of seconds, got {duration}.")


def _half_width(step: int, phases: int) -> int:
    return math.ceil(SINC_ZEROS * step / (min(step, phases) * SINC_ROLLOFF))


def _resample_each(waveform: Tensor, step: int, phases: int, block: int = 1 << 16) -> Tensor:
    """(b, s) -> (b, ceil(s * phases / step)): the weights of each output sample are made when it is needed."""
    base, width = min(step, phases) * SINC_ROLLOFF, _half_width(step, phases)
    taps = torch.arange(-width, width + 2, device=waveform.device)
    padded = F.pad(waveform, (width, width + 2))
    blocks = []
    count = -(-waveform.shape[-1] * phases // step)
    for indices in torch.arange(count, device=waveform.device).split(max(1, block // max(1, len(waveform)))):
        centre = indices * step // phases
        distance = taps - ((indices * step % phases).double() / phases)[:, None]
        time = (distance * (base / step)).clamp(-SINC_ZEROS, SINC_ZEROS)
        weights = torch.sinc(time) * torch.cos(time * (math.pi / SINC_ZEROS / 2)).square() * (base / step)
        samples = padded[:, centre[:, None] + taps + width]
        blocks.append((samples * weights.to(waveform.dtype)).sum(-1))
    return torch.cat(blocks, dim=-1)
