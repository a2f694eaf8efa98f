from .compose import long_video as long_video
from .compose import shared_frames as shared_frames
from .curve import heard_curve as heard_curve
from .curve import loudness_curve as loudness_curve
from .curve import unrest as unrest
from .keyframes import kept_keyframes as kept_keyframes
from .keyframes import window_keyframes as window_keyframes
from .plan import ClipPlan as ClipPlan
from .plan import Window as Window
from .plan import count_frames as count_frames
from .plan import make_clip_plan as make_clip_plan
from .track import Track as Track
from .video import LongVideo as LongVideo

__all__ = [
    "ClipPlan",
    "LongVideo",
    "Track",
    "Window",
    "count_frames",
    "heard_curve",
    "kept_keyframes",
    "long_video",
    "loudness_curve",
    "make_clip_plan",
    "shared_frames",
    "unrest",
    "window_keyframes",
]
