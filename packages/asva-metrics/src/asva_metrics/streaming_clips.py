"""torchmetrics around scores of single clips: a mean over clips, events counted together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from asva_metrics.events import EventMatch, event_scores, match_clips
from asva_metrics.streaming import joined


class ClipMean(Metric):
    """Mean of one score per clip; nan scores, which are undefined, are left out and counted.

    Args:
        score: Pure function of what ``update`` gets, returning a number or (n,) numbers: `temporal_consistency`,
            `relative_sync`, ``partial(av_align, rule="2023")``, ...; None if ``update`` gets the numbers.
        **options: Of ``torchmetrics.Metric``.

    Example:
        >>> metric = ClipMean()
        >>> metric.update([0.25, float("nan"), 0.75])
        >>> metric.compute(), metric.num_undefined
        (tensor(0.5000, dtype=torch.float64), 1)
    """

    is_differentiable = False
    full_state_update = False
    score: Any = None  # a function, or a method of a subclass

    def __init__(self, score: Callable[..., Any] | None = None, **options: Any) -> None:
        super().__init__(**options)
        if score is not None:
            self.score = score
        self.add_state("per_clip", [], dist_reduce_fx="cat")

    def update(self, *args: Any, **options: Any) -> None:
        """Add the score of a clip, or the scores of several."""
        value = args[0] if self.score is None else self.score(*args, **options)
        value = value.detach().cpu() if isinstance(value, Tensor) else np.asarray(value, dtype=np.float64)
        self.per_clip.append(torch.as_tensor(value, dtype=torch.float64, device=self.device).reshape(-1))

    def compute(self) -> Tensor:
        """The mean of the defined scores, float64; nan if there is none."""
        return self.scores.nanmean()

    @property
    def scores(self) -> Tensor:
        """(n,) score of each clip."""
        return joined(self.per_clip)

    @property
    def num_undefined(self) -> int:
        """Clips whose score is nan."""
        return int(self.scores.isnan().sum())

    def sync(self, *args: Any, **options: Any) -> None:
        """As in torchmetrics, also if a process has seen no clip."""
        if not isinstance(self.per_clip, Tensor) and not self.per_clip:
            self.per_clip = [torch.zeros(0, dtype=torch.float64, device=self.device)]
        super().sync(*args, **options)


class EventF1(Metric):
    """F1 of events, those of all clips counted together; see `event_scores`.

    Args:
        tolerance: Largest distance of a pair in seconds.
        **options: Of ``torchmetrics.Metric``.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    counts: Tensor

    def __init__(self, tolerance: float, **options: Any) -> None:
        super().__init__(**options)
        self.tolerance = tolerance
        self.add_state("counts", torch.zeros(4, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predicted: Sequence[Any], target: Sequence[Any]) -> None:
        """Add clips: lists of times in seconds."""
        scores = match_clips(predicted, target, self.tolerance)
        counts = [sum(getattr(match, name) for match in scores) for name in ("tp", "fp", "fn")]
        error = sum(float(np.abs(match.errors).sum()) for match in scores)
        self.counts += self.counts.new_tensor([*counts, error])

    def compute(self) -> dict[str, Tensor]:
        """``f1``, ``precision``, ``recall`` and ``mean_abs_error_ms``, float64; nan where undefined."""
        tp, fp, fn, error = self.counts.tolist()
        # Every matched pair stands for the mean error.
        errors = np.full(int(tp), error / tp if tp else 0.0)
        scores = event_scores([EventMatch(int(tp), int(fp), int(fn), errors, np.empty((0, 2), np.int64))])
        names = ("f1", "precision", "recall", "mean_abs_error_ms")
        return {name: self.counts.new_tensor(getattr(scores, name)) for name in names}
