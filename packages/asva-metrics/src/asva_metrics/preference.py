"""Pairs of videos between which people chose: win rates, and strengths on one scale (Bradley and Terry, 1952)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from asva_metrics.intervals import Interval, percentile_interval

PRIOR = 0.1
"""Wins that each side of a compared pair is given, so that a system which never lost has a strength too."""


@dataclass(frozen=True)
class Preference:
    """What votes say of systems.

    Attributes:
        systems: Names, in the order of all below.
        wins: (k, k) votes for the row's system against the column's; a tie is half a vote for both.
        win_rates: Share of its comparisons that each system won.
        strengths: Log strengths of mean 0; the odds of one against another are the exponential of their difference.
        pairs: Share that the first of two systems won against the second, by their names; 0.5 is chance.
        reason: Why strengths are nan, or an empty string.
    """

    systems: tuple[str, ...]
    wins: NDArray[np.float64]
    win_rates: tuple[Interval, ...]
    strengths: tuple[Interval, ...]
    pairs: dict[tuple[str, str], Interval]
    reason: str


def preference(
    first: ArrayLike,
    second: ArrayLike,
    won: ArrayLike,
    clips: ArrayLike,
    raters: ArrayLike,
    *,
    generator: np.random.Generator,
    num_samples: int = 1000,
) -> Preference:
    """Compare systems by votes; intervals draw clips and raters anew, both at once (Owen, 2007).

    Args:
        first: (n,) system on one side.
        second: (n,) system on the other.
        won: (n,) 1 where the first was preferred, 0 where the second was, 0.5 where neither.
        clips: (n,) what the videos show.
        raters: (n,) who voted.
        generator: Source of the draws.
        num_samples: Resamples.

    Raises:
        ValueError: If there are no votes, lengths differ, a vote is none, or a system is compared with itself.

    Example:
        >>> found = preference(list("aab"), list("bbc"), [1, 0.5, 1], [0, 1, 0], [0, 0, 1],
        ...                    generator=np.random.default_rng(0))
        >>> [round(rate.estimate, 2) for rate in found.win_rates]
        [0.75, 0.5, 0.0]
    """
    sides, votes = (np.asarray(first).astype(str), np.asarray(second).astype(str)), np.asarray(won, dtype=np.float64)
    groups = [np.unique(np.asarray(x).astype(str), return_inverse=True)[1] for x in (clips, raters)]
    if not len(votes) or any(x.shape != votes.shape for x in (*sides, *groups)):
        raise ValueError(f"`first`, `second`, `won`, `clips` and `raters` must be of one length, got {len(votes)}.")
    if not np.isin(votes, (0, 0.5, 1)).all() or (sides[0] == sides[1]).any():
        raise ValueError("`won` must be 0, 0.5 or 1, between two different systems.")
    names, places = np.unique(np.concatenate(sides), return_inverse=True)
    a, b = np.split(places, 2)
    weights = np.ones((num_samples + 1, len(votes)))  # the first sample is what was seen
    for group in groups:
        count = group.max() + 1
        weights[1:] *= generator.multinomial(count, np.full(count, 1 / count), num_samples)[:, group]
    wins = np.zeros((num_samples + 1, len(names), len(names)))
    for sample, weight in zip(wins, weights, strict=True):
        np.add.at(sample, (a, b), weight * votes)
        np.add.at(sample, (b, a), weight * (1 - votes))
    games = wins + wins.swapaxes(1, 2)
    compared = games[0] > 0
    reason = "" if connected_components(compared)[0] == 1 else "no chain of comparisons joins all systems"
    strengths = np.full(wins.shape[:2], np.nan) if reason else bradley_terry(wins + PRIOR * compared)
    with np.errstate(invalid="ignore"):
        rates, shares = wins.sum(2) / games.sum(2), wins / games
    labels = tuple(str(name) for name in names)

    def interval(samples: np.ndarray, count: float) -> Interval:
        return percentile_interval(float(samples[0]), samples[1:], round(count), 0.95)

    return Preference(
        labels,
        wins[0],
        tuple(interval(rates[:, i], games[0, i].sum()) for i in range(len(names))),
        tuple(interval(strengths[:, i], games[0, i].sum()) for i in range(len(names))),
        {(labels[i], labels[j]): interval(shares[:, i, j], games[0, i, j]) for i, j in np.argwhere(np.triu(compared))},
        reason,
    )


def bradley_terry(wins: ArrayLike, *, num_steps: int = 10_000, tolerance: float = 1e-9) -> NDArray[np.float64]:
    """Log strengths under which wins are most likely, by the iteration of Hunter (2004, equation 3).

    Args:
        wins: (..., k, k) wins of the row against the column; every system must win and lose, over a chain of others.
        num_steps: Steps, at most.
        tolerance: Change of a log strength at which it ends.

    Returns:
        (..., k) of mean 0.

    Raises:
        ValueError: If `wins` is not square, or does not settle, as where a system only wins.

    Example:
        >>> bradley_terry([[0, 3], [1, 0]]).round(3)  # half of log 3 on either side of 0
        array([ 0.549, -0.549])
    """
    won = np.asarray(wins, dtype=np.float64)
    if won.ndim < 2 or won.shape[-1] != won.shape[-2]:
        raise ValueError(f"`wins` must be (..., k, k), got {won.shape}.")
    games, total = won + won.swapaxes(-1, -2), won.sum(-1)
    log = np.zeros(total.shape)
    for _ in range(num_steps):
        strength = np.exp(log)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = np.log(total / (games / (strength[..., None] + strength[..., None, :])).sum(-1))
            new -= new.mean(-1, keepdims=True)
        settled = np.abs(new - log).max(initial=0) < tolerance
        log = new
        if settled:
            return log
        if not np.isfinite(log).all():
            break
    raise ValueError("`wins` must have every system win and lose, over a chain of others; it does not settle.")
