"""FID and FVD between all generated and all true clips, with an interval by leaving out blocks of videos."""

from __future__ import annotations

from asva.evaluation.scores.base import Score, strict


@strict
class Distance(Score):
    """Base of scores of sets."""
