"""Public names of asva_keyframe, loaded when first used."""

from .draws import OfficialDraws as OfficialDraws
from .keypoints import Keypoints as Keypoints
from .keypoints import find_keypoints as find_keypoints
from .selection import select_keyframes as select_keyframes
from .spread import spread_evenly as spread_evenly
from .spread import uniform_keyframes as uniform_keyframes
from .times import keyframes_from_times as keyframes_from_times
from .training_rule import TrainingFrames as TrainingFrames
from .training_rule import keyframe_mask as keyframe_mask
from .training_rule import training_frames as training_frames
from .training_rule import uniform_training_frames as uniform_training_frames
