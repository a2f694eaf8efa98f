"""Keyframes from motion: optical flow, motion curves, keyframe selection and the network from sound to motion."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
