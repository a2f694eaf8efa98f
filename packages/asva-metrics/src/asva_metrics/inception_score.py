"""Scores of class logits: inception score and the divergence of paired predictions (MKL)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from asva_metrics.features import feature_matrix
from asva_metrics.intervals import MeanStd


def inception_score(
    logits: Any, *, num_splits: int = 10, generator: np.random.Generator | np.random.RandomState | None = None
) -> MeanStd:
    """Exponential of the mean divergence of each prediction from their mean (Salimans et al., 2016).

    ``exp(mean_i KL(p(y | x_i) || mean_j p(y | x_j)))``, for each of ``num_splits`` equal parts.

    Args:
        logits: (n, classes) before the softmax, array or tensor.
        num_splits: Parts.
        generator: Shuffles the rows before they are parted; None keeps their order. av-benchmark takes
            ``np.random.RandomState(2020)``.

    Returns:
        Mean and standard deviation over the parts (divided by their number, as published).

    Raises:
        ValueError: If there are fewer rows than parts or a value is not finite.
    """
    values = feature_matrix(logits, "logits")
    if not 1 <= num_splits <= len(values):
        raise ValueError(f"`num_splits` must lie between 1 and the {len(values)} rows there are, got {num_splits}.")
    if generator is not None:
        values = values[generator.permutation(len(values))]
    edges = np.arange(num_splits + 1) * len(values) // num_splits
    scores = [_score(values[start:stop]) for start, stop in pairwise(edges)]
    return MeanStd(float(np.mean(scores)), float(np.std(scores)))


def paired_divergence(
    generated: Any, reference: Any, *, activation: Literal["softmax", "sigmoid"] = "softmax"
) -> float:
    """Mean divergence of the classes predicted for each generated clip from those of its partner (MKL).

    ``mean_i sum_c p_reference log(p_reference / p_generated)``, in logarithms, so that no class needs a floor.

    Args:
        generated: (n, classes) logits of the generated clips.
        reference: (n, classes) logits of the true clips in the same order.
        activation: "softmax" for exclusive classes, "sigmoid" for tags.

    Returns:
        The mean in nats.

    Raises:
        ValueError: If the shapes differ, a value is not finite, or the activation is unknown.
    """
    if activation not in ("softmax", "sigmoid"):
        raise ValueError(f"`activation` must be softmax or sigmoid, got {activation!r}.")
    first, second = feature_matrix(reference, "reference"), feature_matrix(generated, "generated")
    if first.shape != second.shape:
        raise ValueError(f"`generated` must have the shape of `reference` {first.shape}, got {second.shape}.")
    if activation == "softmax":
        divergence = softmax(first, axis=1) * (log_softmax(first, axis=1) - log_softmax(second, axis=1))
    else:
        divergence = expit(first) * (log_expit(first) - log_expit(second))
    return float(divergence.sum(axis=1).mean())


def _score(logits: np.ndarray) -> float:
    probability, logarithm = softmax(logits, axis=1), log_softmax(logits, axis=1)
    divergence = probability * (logarithm - np.log(probability.mean(axis=0)))
    return float(np.exp(divergence.sum(axis=1).mean()))
