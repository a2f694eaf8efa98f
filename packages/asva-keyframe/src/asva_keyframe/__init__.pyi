"""Public names of asva_keyframe, loaded when first used."""

from .bundled import load_bundled_localizer as load_bundled_localizer
from .bundled import sound_curve as sound_curve
from .convert import convert_localizer as convert_localizer
from .convert import invert_localizer as invert_localizer
from .convert import split_localizer as split_localizer
from .curve import heard_curve as heard_curve
from .curve import loudness_curve as loudness_curve
from .curve import unrest as unrest
from .draws import OfficialDraws as OfficialDraws
from .flow import flow_pairs as flow_pairs
from .flow import motion_curve as motion_curve
from .flow import motion_score as motion_score
from .flow import optical_flow as optical_flow
from .keypoints import Keypoints as Keypoints
from .keypoints import find_keypoints as find_keypoints
from .labels import curve_label as curve_label
from .labels import localizer_loss as localizer_loss
from .labels import mel_label as mel_label
from .labels import scale_curve as scale_curve
from .localizer import MotionLocalizer as MotionLocalizer
from .localizer_network import MotionLocalizerOutput as MotionLocalizerOutput
from .onsets import audio_events as audio_events
from .onsets import onset_curve as onset_curve
from .onsets import sound_growth as sound_growth
from .raft import convert_raft as convert_raft
from .raft import load_raft as load_raft
from .selection import select_keyframes as select_keyframes
from .spread import spread_evenly as spread_evenly
from .spread import uniform_keyframes as uniform_keyframes
from .times import keyframes_from_times as keyframes_from_times
from .training_rule import TrainingFrames as TrainingFrames
from .training_rule import keyframe_mask as keyframe_mask
from .training_rule import training_frames as training_frames
from .training_rule import uniform_training_frames as uniform_training_frames

__all__ = [
    "Keypoints",
    "MotionLocalizer",
    "MotionLocalizerOutput",
    "OfficialDraws",
    "TrainingFrames",
    "audio_events",
    "convert_localizer",
    "convert_raft",
    "curve_label",
    "find_keypoints",
    "flow_pairs",
    "heard_curve",
    "invert_localizer",
    "keyframe_mask",
    "keyframes_from_times",
    "load_bundled_localizer",
    "load_raft",
    "localizer_loss",
    "loudness_curve",
    "mel_label",
    "motion_curve",
    "motion_score",
    "onset_curve",
    "optical_flow",
    "scale_curve",
    "select_keyframes",
    "sound_curve",
    "sound_growth",
    "split_localizer",
    "spread_evenly",
    "training_frames",
    "uniform_keyframes",
    "uniform_training_frames",
    "unrest",
]
