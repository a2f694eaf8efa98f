"""Every score that a protocol can name: its settings, what it needs, what it cannot see, and how it is computed."""

from asva.evaluation.scores.alignment import AVAlign
from asva.evaluation.scores.motion import Motion

AnyScore = Motion | AVAlign

__all__ = ["AVAlign", "AnyScore", "Motion"]
