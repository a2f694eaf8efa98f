"""DPM-Solver and DPM-Solver++ as MM-Diffusion runs them on two streams at once (arXiv 2206.00927, 2211.01095).

The streams are packed side by side, (b, n); only where a norm or a quantile is taken do they part again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from asva_baselines.mmdiffusion.diffusion import STEPS, alphas_cumprod

LAST = 1 / STEPS  # time at which the solvers stop
Predict = Callable[[Tensor, int], Tensor]


class Levels:
    """The noise levels of continuous time, 1/1000 to 1, linear in the logarithm between timesteps."""

    def __init__(self) -> None:
        self.log_alphas = 0.5 * np.log(alphas_cumprod())
        self.times = np.arange(1, STEPS + 1) / STEPS

    def log_alpha(self, time: float) -> float:
        """Logarithm of the signal's root share."""
        return float(np.interp(time, self.times, self.log_alphas))

    def alpha_sigma(self, time: float) -> tuple[float, float]:
        """Factors of signal and noise."""
        log = self.log_alpha(time)
        return float(np.exp(log)), float(np.sqrt(-np.expm1(2 * log)))

    def half_log_snr(self, time: float) -> float:
        """The solvers' own clock."""
        alpha, sigma = self.alpha_sigma(time)
        return float(np.log(alpha / sigma))

    def time(self, half_log_snr: float) -> float:
        """The inverse."""
        log = -0.5 * np.logaddexp(0.0, -2.0 * half_log_snr)
        return float(np.interp(-log, -self.log_alphas, self.times))

    def between(self, start: float, end: float, steps: int) -> list[float]:
        """Times at even steps of the solvers' clock."""
        first, last = self.half_log_snr(start), self.half_log_snr(end)
        inner = [self.time(one) for one in np.linspace(first, last, steps + 1)[1:-1]]
        return [start, *inner, end]


class Solver:
    """Steps of the solvers.

    Args:
        predict: ``predict(x, timestep)`` answers the noise of packed streams.
        streams: Numbers in each stream.
    """

    def __init__(self, predict: Predict, streams: Sequence[int]) -> None:
        self.predict, self.streams, self.levels = predict, list(streams), Levels()

    def noise(self, x: Tensor, time: float) -> Tensor:
        """The network's answer; it knows whole timesteps."""
        return self.predict(x, int((time - LAST) * STEPS))

    def clean(self, x: Tensor, time: float) -> Tensor:
        """The clean sample of it, dynamically thresholded, each stream by itself (Imagen, section 2.3)."""
        alpha, sigma = self.levels.alpha_sigma(time)
        clean = (x - sigma * self.noise(x, time)) / alpha
        parts = []
        for part in clean.split(self.streams, dim=1):
            bound = part.abs().quantile(0.995, dim=1, keepdim=True).clamp(min=1)
            parts.append(part.clamp(-bound, bound) / bound)
        return torch.cat(parts, dim=1)

    def singlestep(self, x: Tensor, steps: int = 20) -> Tensor:
        """DPM-Solver of order 3 with as many calls of the network as steps."""
        orders = [3] * (steps // 3) + [steps % 3] * (steps % 3 > 0)
        if steps % 3 == 0:
            orders[-1:] = [2, 1]
        times = self.levels.between(1.0, LAST, steps)
        for order in orders:
            x = self._singlestep(x, order, times[: order + 1])
            times = times[order:]
        return x

    def _singlestep(self, x: Tensor, order: int, times: list[float]) -> Tensor:
        levels, start, end = self.levels, times[0], times[-1]
        first = self.noise(x, start)
        h = levels.half_log_snr(end) - levels.half_log_snr(start)

        def moved(time: float, *terms: tuple[float, Tensor]) -> Tensor:
            signal = np.exp(levels.log_alpha(time) - levels.log_alpha(start))
            sigma = levels.alpha_sigma(time)[1]
            return float(signal) * x - sum(float(sigma * weight) * term for weight, term in terms)

        whole = np.expm1(h)
        if order == 1:
            return self.straight(x, first, start, end)
        if order == 2:
            second = self.noise(moved(times[1], (np.expm1(h / 2), first)), times[1])
            return moved(end, (whole, first), (whole, second - first))
        one, two = h / 3, 2 * h / 3
        second = self.noise(moved(times[1], (np.expm1(one), first)), times[1])
        bend = 2 * (np.expm1(two) / two - 1)
        third = self.noise(moved(times[2], (np.expm1(two), first), (bend, second - first)), times[2])
        return moved(end, (whole, first), (1.5 * (whole / h - 1), third - first))

    def multistep(self, x: Tensor, steps: int = 20) -> Tensor:
        """DPM-Solver of order 2 at even times: where the answers are heading is told by the one before."""
        before: tuple[Tensor, float] | None = None
        for start, end in pairwise(np.linspace(1.0, LAST, steps + 1).tolist()):
            noise, clock = self.noise(x, start), self.levels.half_log_snr(start)
            heading = 0.0 if before is None else (noise - before[0]) / (clock - before[1])
            ahead = (self.levels.half_log_snr(end) - clock) / 2
            x, before = self.straight(x, noise + ahead * heading, start, end), (noise, clock)
        return x

    def straight(self, x: Tensor, noise: Tensor, start: float, end: float) -> Tensor:
        """From one time to another by one answer."""
        # The original moves the sound by another formula's factors here; its own 20 steps of order 3 never come by.
        (alpha, sigma), (signal, rest) = (self.levels.alpha_sigma(time) for time in (start, end))
        return signal / alpha * x + (rest - signal / alpha * sigma) * noise

    def adaptive(self, x: Tensor, *, atol: float = 0.0078, rtol: float = 0.05) -> Tensor:
        """DPM-Solver++ of order 2 whose steps are as long as the difference to order 1 allows."""
        levels, time, h, previous = self.levels, 1.0, 0.05, x
        clock, stop = levels.half_log_snr(1.0), levels.half_log_snr(LAST)
        while abs(time - LAST) > 1e-5:
            end = levels.time(clock + h)
            lower, higher = self._lower_and_higher(x, time, end)
            bound = torch.maximum(torch.full_like(x, atol), rtol * torch.maximum(lower.abs(), previous.abs()))
            parts = ((higher - lower) / bound).split(self.streams, dim=1)
            error = max(float(part.square().mean(1).sqrt().max()) for part in parts)
            if not np.isfinite(error):
                raise ValueError("`predict` must answer finite noise, got NaN or infinity.")
            if error <= 1:
                x, previous, time = higher, lower, end
                clock = levels.half_log_snr(end)
            h = min(0.9 * h * max(error, 1e-9) ** -0.5, stop - clock)
        return x

    def _lower_and_higher(self, x: Tensor, start: float, end: float) -> tuple[Tensor, Tensor]:
        levels, middle = self.levels, self.levels.between(start, end, 2)[1]
        first = self.clean(x, start)

        def moved(time: float, *terms: tuple[float, Tensor]) -> Tensor:
            alpha, sigma = levels.alpha_sigma(time)
            h = levels.half_log_snr(time) - levels.half_log_snr(start)
            lead = sigma / levels.alpha_sigma(start)[1] * x
            return lead - float(alpha * np.expm1(-h)) * sum(weight * term for weight, term in terms)

        second = self.clean(moved(middle, (1.0, first)), middle)
        return moved(end, (1.0, first)), moved(end, (1.0, first), (1.0, second - first))
