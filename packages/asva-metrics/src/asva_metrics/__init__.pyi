"""Public names of asva_metrics, loaded when first used."""

from .chance import ChanceLevel as ChanceLevel
from .chance import chance_level as chance_level
from .correlation import CurveCorrelation as CurveCorrelation
from .correlation import curve_correlation as curve_correlation
from .correlation import pearson as pearson
from .events import EventMatch as EventMatch
from .events import EventScores as EventScores
from .events import event_f1 as event_f1
from .events import event_scores as event_scores
from .events import match_clips as match_clips
from .events import match_events as match_events
from .intervals import Interval as Interval
from .intervals import bootstrap_interval as bootstrap_interval
from .loudness import loudness_envelope as loudness_envelope
from .psnr import moving_psnr as moving_psnr
from .psnr import psnr as psnr
