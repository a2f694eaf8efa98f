"""Every score that a protocol can name: its settings, what it needs, what it cannot see, and how it is computed."""

from asva.evaluation.scores.alignment import AVAlign
from asva.evaluation.scores.distances import FID, FVD
from asva.evaluation.scores.events import EventError, EventF1, ReferenceEventF1
from asva.evaluation.scores.local import LocalOffset, LocalSync
from asva.evaluation.scores.motion import Motion
from asva.evaluation.scores.pixels import PSNR
from asva.evaluation.scores.semantics import ImageAudio, ImageText, TemporalConsistency, TextConsistency
from asva.evaluation.scores.sync import AlignSync, DeSync, LipSyncScore, RelSync, SmallSync

AnyScore = (
    Motion
    | AVAlign
    | EventF1
    | EventError
    | ReferenceEventF1
    | LocalSync
    | LocalOffset
    | PSNR
    | SmallSync
    | FID
    | FVD
    | ImageAudio
    | ImageText
    | RelSync
    | AlignSync
    | TemporalConsistency
    | TextConsistency
    | LipSyncScore
    | DeSync
)

__all__ = [
    "FID",
    "FVD",
    "PSNR",
    "AVAlign",
    "AlignSync",
    "AnyScore",
    "DeSync",
    "EventError",
    "EventF1",
    "ImageAudio",
    "ImageText",
    "LipSyncScore",
    "LocalOffset",
    "LocalSync",
    "Motion",
    "ReferenceEventF1",
    "RelSync",
    "SmallSync",
    "TemporalConsistency",
    "TextConsistency",
]
