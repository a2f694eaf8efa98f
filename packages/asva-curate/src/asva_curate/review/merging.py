"""The decisions of all reviewers as verdicts: what most of them keep, cut to what all of these keep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asva_curate.curation.results import Results
from asva_curate.curation.table import write_clips
from asva_curate.curation.verdict import Span, Verdict, clip_key
from asva_curate.review.agreement import Reviews
from asva_curate.review.decisions import Decision, read_reviews

UNSEEN = "review: nobody has looked at it"
TABLE = "reviewed.csv"


def apply_reviews(verdicts: Sequence[Verdict], reviews: Reviews) -> list[Verdict]:
    """Verdicts in which only what reviewers keep is kept.

    A clip stays if more than half of those who decided on it keep it, so that of two both must. It begins where the
    last of these lets it begin and ends where the first lets it end. What nobody decided is dropped.

    Args:
        verdicts: Of a curation.
        reviews: Decisions by reviewer and clip.

    Returns:
        The verdicts, in the same order; reasons begin with "review".
    """
    return [
        replace(verdict, clips=tuple(_judge(verdict.path, clip, reviews) for clip in verdict.clips))
        for verdict in verdicts
    ]


def merge_reviews(folder: str | os.PathLike) -> list[Verdict]:
    """Apply the reviews that lie in a folder of results and write ``reviewed.csv`` there, as `write_clips` does.

    Raises:
        MediaError: If the folder holds no results, or a log is damaged.
    """
    results = Results(folder)
    verdicts = apply_reviews(results.verdicts, read_reviews(folder))
    write_clips(Path(folder) / TABLE, verdicts)
    return verdicts


def _judge(path: str, clip: Span, reviews: Reviews) -> Span:
    if not clip.kept:
        return clip
    key = clip_key(path, clip.start, clip.end)
    decided = {name: decisions[key] for name, decisions in reviews.items() if key in decisions}
    keep: dict[str, Decision] = {name: one for name, one in decided.items() if one.kind == "keep"}
    if not decided:
        return replace(clip, reason=UNSEEN)
    if len(keep) * 2 <= len(decided):
        return replace(clip, reason=f"review: dropped by {', '.join(sorted(decided.keys() - keep.keys()))}")
    start, end = max(one.start for one in keep.values()), min(one.end for one in keep.values())
    if start >= end:
        return replace(clip, reason="review: those who keep it share no moment of it")
    return replace(clip, start=start, end=end)
