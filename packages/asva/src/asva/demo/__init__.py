"""The page of `asva demo`: upload a sound and a picture, move keyframes, watch the video; several users at once."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
