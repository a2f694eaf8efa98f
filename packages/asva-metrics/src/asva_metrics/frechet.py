"""Frechet distance between two sets of features, the number behind FID and FVD."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import numpy as np
from scipy.linalg import get_lapack_funcs

from asva_metrics.features import Covariance, FeatureStatistics

LARGE = 256  # dimensions from which torch is worth its import
Variant = Literal["stylegan-v", "videogpt", "common-metrics", "cd-fvd", "pytorch-fid", "clean-fid", "avsync"]

# On given features the published codes differ in one thing only: what the scatter is divided by.
VARIANTS: dict[str, Covariance] = {name: "biased" if name == "cd-fvd" else "unbiased" for name in get_args(Variant)}


class SmallSampleWarning(UserWarning):
    """Fewer samples than dimensions: the number is exact for these samples and says little about their source."""


def frechet_distance(generated: Any, reference: Any, *, variant: Variant = "stylegan-v") -> float:
    """Frechet distance of two Gaussians with the means and covariances of the features (Heusel et al., 2017).

    ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr (C1 C2)^(1/2)``

    The trace of the square root is the sum of the roots of the eigenvalues of ``R' C2 R`` with ``R R' = C1``, taken in
    float64 within the range of C1. It needs no guard for singular covariances, where an iterative matrix root is only
    approximate.

    Args:
        generated: (n, d) features, array or tensor, or `FeatureStatistics`.
        reference: (m, d) features of the true clips, or `FeatureStatistics`.
        variant: Whose convention: "cd-fvd" divides the scatter by n, all others by n - 1.

    Returns:
        The distance; what rounding leaves below 0 for equal sets is 0. It depends on n and m: compare only numbers
        of equal counts.

    Warns:
        SmallSampleWarning: If n or m is not larger than d, so that a covariance is singular.

    Raises:
        ValueError: If a set has fewer than two features, the widths differ, a value is not finite, or the variant is
            unknown.

    Example:
        >>> real = np.random.default_rng(0).normal(size=(100, 4))
        >>> round(frechet_distance(real + 1, real), 6)
        4.0
    """
    if variant not in VARIANTS:
        raise ValueError(f"`variant` must be one of {', '.join(VARIANTS)}, got {variant!r}.")
    second, first = _statistics(generated, "generated"), _statistics(reference, "reference")
    if len(first.mean) != len(second.mean):
        raise ValueError(f"`generated` must have the width of `reference` ({len(first.mean)}), got {len(second.mean)}.")
    _warn_of_few(first, second)
    covariances = [statistics.covariance(VARIANTS[variant]) for statistics in (first, second)]
    traces = sum(float(np.trace(covariance)) for covariance in covariances)
    distance = float(((first.mean - second.mean) ** 2).sum()) + traces - 2 * trace_of_root(*covariances)
    return max(distance, 0.0)


def trace_of_root(first: np.ndarray, second: np.ndarray) -> float:
    """``tr (C1 C2)^(1/2)`` of two symmetric (d, d) matrices without negative eigenvalues."""
    return float(np.sqrt(_eigenvalues(_product(first, second)).clip(min=0.0)).sum())


def _eigenvalues(symmetric: np.ndarray) -> np.ndarray:
    """Eigenvalues of a matrix by its lower triangle."""
    if len(symmetric) < LARGE:
        return np.linalg.eigvalsh(symmetric)
    import torch  # whose LAPACK takes half the time of numpy's, but seconds to be imported

    return torch.linalg.eigvalsh(torch.from_numpy(symmetric)).numpy()


def _product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """``R' C2 R`` with ``R R' = C1``, below its diagonal at least: by a triangular R where C1 is far from singular."""
    try:
        root = np.linalg.cholesky(first)
        if np.diag(root).min() > 1e-5 * np.diag(root).max():
            (product,) = get_lapack_funcs(("sygst",), (second, root))
            return product(second, root, itype=2, lower=1)[0]  # half the work of two products
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(first)
    inside = values > values.max(initial=0.0) * len(values) * np.finfo(np.float64).eps
    root = vectors[:, inside] * np.sqrt(values[inside])
    return root.T @ second @ root


def _statistics(features: Any, name: str) -> FeatureStatistics:
    statistics = features if isinstance(features, FeatureStatistics) else FeatureStatistics(features)
    if statistics.count < 2:
        raise ValueError(f"`{name}` must hold at least 2 samples, got {statistics.count}.")
    return statistics


def _warn_of_few(first: FeatureStatistics, second: FeatureStatistics) -> None:
    width, fewest = len(first.mean), min(first.count, second.count)
    if fewest <= width:
        warnings.warn(
            f"{fewest} samples do not span {width} dimensions: the Frechet distance is exact for these samples, but "
            "biased upwards; compare it only with numbers of the same counts, and give an interval.",
            SmallSampleWarning,
            stacklevel=3,
        )
