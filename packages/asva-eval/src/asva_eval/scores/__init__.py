"""Every score that a protocol can name: its settings, what it needs, what it cannot see, and how it is computed."""

from asva_eval.scores.alignment import AVAlign
from asva_eval.scores.distances import FID, FVD
from asva_eval.scores.events import EventError, EventF1, ReferenceEventF1
from asva_eval.scores.local import LocalOffset, LocalSync
from asva_eval.scores.motion import Motion
from asva_eval.scores.pixels import PSNR
from asva_eval.scores.semantics import ImageAudio, ImageText, TemporalConsistency, TextConsistency
from asva_eval.scores.sync import AlignSync, DeSync, LipSyncScore, RelSync, SmallSync

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
