"""Videos as long as their sound: planned to the frame, made window by window, written as they come."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
