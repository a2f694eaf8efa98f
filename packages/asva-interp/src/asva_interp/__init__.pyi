from .freenoise import fuse_windows as fuse_windows
from .freenoise import shuffle_noise as shuffle_noise
from .freenoise import window_views as window_views
from .freenoise import window_weights as window_weights
from .freenoise import windowed as windowed
from .injection import KeyframeInjection as KeyframeInjection
from .injection import inject_keyframes as inject_keyframes
from .masking import masked_condition as masked_condition
from .noise import blend_noise as blend_noise

__all__ = [
    "KeyframeInjection",
    "blend_noise",
    "fuse_windows",
    "inject_keyframes",
    "masked_condition",
    "shuffle_noise",
    "window_views",
    "window_weights",
    "windowed",
]
