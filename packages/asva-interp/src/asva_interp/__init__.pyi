from .freenoise import fuse_windows as fuse_windows
from .freenoise import shuffle_noise as shuffle_noise
from .freenoise import window_views as window_views
from .freenoise import window_weights as window_weights
from .freenoise import windowed as windowed
from .injection import KeyframeInjection as KeyframeInjection
from .injection import inject_keyframes as inject_keyframes
from .masking import masked_condition as masked_condition
from .noise import blend_noise as blend_noise
from .windows.plan import ClipPlan as ClipPlan
from .windows.plan import Window as Window
from .windows.plan import count_frames as count_frames
from .windows.plan import make_clip_plan as make_clip_plan

__all__ = [
    "ClipPlan",
    "KeyframeInjection",
    "Window",
    "blend_noise",
    "count_frames",
    "fuse_windows",
    "inject_keyframes",
    "make_clip_plan",
    "masked_condition",
    "shuffle_noise",
    "window_views",
    "window_weights",
    "windowed",
]
