"""How far reviewers agree: the share of equal decisions, Cohen's kappa, and the overlap of their cuts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from asva_curate.review.decisions import Decision, read_reviews

DRAWS = 2000

Reviews = Mapping[str, Mapping[str, Decision]]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two reviewers agree on the clips that both decided.

    Attributes:
        first: Name of one.
        second: Name of the other.
        clips: Clips that both decided.
        same: Share of them on which both keep or both drop.
        kappa: Cohen's kappa of it, 0 by chance and 1 in full; None if both always say the same one word, or no clips.
        low: Lower end of kappa's 95 % interval, by drawing clips; None likewise.
        high: Upper end.
        overlap: Mean overlap over union in time of clips that both keep; None without any.
    """

    first: str
    second: str
    clips: int
    same: float | None
    kappa: float | None
    low: float | None
    high: float | None
    overlap: float | None


def agreement(reviews: Reviews) -> list[Agreement]:
    """The agreement of every two reviewers."""
    return [_agreement(a, b, reviews[a], reviews[b]) for a, b in combinations(sorted(reviews), 2)]


def disputed(reviews: Reviews) -> list[str]:
    """The clips that some keep and others drop."""
    kinds: dict[str, set[str]] = {}
    for decisions in reviews.values():
        for key, decision in decisions.items():
            kinds.setdefault(key, set()).add(decision.kind)
    return sorted(key for key, found in kinds.items() if len(found) > 1)


def review_summary(folder: str | os.PathLike) -> dict[str, Any] | None:
    """Reviewers, their counts and their agreement as JSON can hold them; None if nobody has looked yet."""
    reviews = read_reviews(folder)
    if not reviews:
        return None
    counts = [
        {
            "reviewer": name,
            "kept": sum(decision.kind == "keep" for decision in decisions.values()),
            "dropped": sum(decision.kind == "drop" for decision in decisions.values()),
        }
        for name, decisions in reviews.items()
    ]
    found = [asdict(one) for one in agreement(reviews)]
    return {"reviewers": counts, "agreement": found, "disputed": len(disputed(reviews))}


def _agreement(a: str, b: str, first: Mapping[str, Decision], second: Mapping[str, Decision]) -> Agreement:
    keys = sorted(first.keys() & second.keys())
    kept = np.array([[found[key].kind == "keep" for found in (first, second)] for key in keys], bool).reshape(-1, 2)
    overlaps = [_overlap(first[key], second[key]) for key, both in zip(keys, kept.all(axis=1), strict=True) if both]
    value = _kappa(kept[None])[0] if keys else np.nan
    low, high = (None, None) if np.isnan(value) else _interval(kept)
    return Agreement(
        first=a,
        second=b,
        clips=len(keys),
        same=float((kept[:, 0] == kept[:, 1]).mean()) if keys else None,
        kappa=None if np.isnan(value) else float(value),
        low=low,
        high=high,
        overlap=float(np.mean(overlaps)) if overlaps else None,
    )


def _kappa(kept: np.ndarray) -> np.ndarray:
    """(draws, clips, 2) -> (draws,): ``(p_same - p_chance) / (1 - p_chance)``, NaN where chance is certain."""
    same, share = (kept[..., 0] == kept[..., 1]).mean(axis=1), kept.mean(axis=1)
    chance = share.prod(axis=1) + (1 - share).prod(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chance < 1, (same - chance) / (1 - chance), np.nan)


def _interval(kept: np.ndarray) -> tuple[float, float]:
    generator = np.random.default_rng(0)
    drawn = np.concatenate(
        [_kappa(kept[generator.integers(0, len(kept), (100, len(kept)))]) for _ in range(DRAWS // 100)]
    )
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _overlap(first: Decision, second: Decision) -> float:
    common = max(0.0, min(first.end, second.end) - max(first.start, second.start))
    return common / (max(first.end, second.end) - min(first.start, second.start))
