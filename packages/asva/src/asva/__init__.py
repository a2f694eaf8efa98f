"""A picture and a sound become a video that moves in time with the sound."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
