"""Every method of the field as one folder: pipeline, released files, settings; and one way to make a video."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
